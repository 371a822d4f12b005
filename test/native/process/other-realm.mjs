// Runs the library in a context of its own, as Jest does: its Error, its Uint8Array and its AbortSignal are not Node's.
//   node --experimental-vm-modules other-realm.mjs CONFIG RECORDING
import { readFileSync } from 'node:fs';
import process, { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const [config, recording] = argv.slice(2);
const dist = new URL('../../../dist/index.js', import.meta.url);
const context = vm.createContext({
	process,
	Buffer,
	URL,
	performance,
	setTimeout,
	clearTimeout,
	setInterval,
	clearInterval,
	setImmediate,
	queueMicrotask,
	structuredClone,
	AbortController,
	AbortSignal,
	TextDecoder,
	TextEncoder,
});
const modules = new Map();

/** One module for each address, so that circles end. */
async function moduleAt(specifier, from) {
	const address = /^[./]|^file:/.test(specifier) ? new URL(specifier, from).href : specifier;
	const known = modules.get(address);
	if (known) return known;
	const made =
		address.startsWith('file:') && address.includes('/dist/') ? sourceAt(address) : await wrapped(address);
	modules.set(address, made);
	return made;
}

function sourceAt(address) {
	return new vm.SourceTextModule(readFileSync(fileURLToPath(address), 'utf8'), {
		context,
		identifier: address,
		initializeImportMeta: (meta) => {
			meta.url = address;
		},
		importModuleDynamically: async (specifier) => evaluated(await moduleAt(specifier, address)),
	});
}

/** What is not of Earshot stays in Node's realm. */
async function wrapped(address) {
	const from = await import(address);
	return new vm.SyntheticModule(
		Object.keys(from),
		function () {
			for (const name of Object.keys(from)) this.setExport(name, from[name]);
		},
		{ context, identifier: address },
	);
}

async function evaluated(module) {
	if (module.status === 'unlinked')
		await module.link((specifier, parent) => moduleAt(specifier, parent.identifier));
	if (module.status !== 'evaluated') await module.evaluate();
	return module;
}

const { namespace } = await evaluated(await moduleAt(dist.href, import.meta.url));
const lines = [];
const codeOf = (work) =>
	work.then(
		() => 'no failure',
		(thrown) => thrown.code ?? String(thrown),
	);
const earshot = await namespace.createTranscriber({ config });
context.data = [...readFileSync(recording)];
lines.push((await earshot.transcribe(vm.runInContext('Uint8Array.from(data)', context))).text);
lines.push(await codeOf(namespace.createTranscriber({ config, model: 'nobody' })));
lines.push(await codeOf(earshot.transcribe('/nowhere.wav')));
lines.push(await codeOf(earshot.transcribe(recording, {}, { signal: AbortSignal.abort() })));
process.stdout.write(`${lines.join('\n')}\n`);
