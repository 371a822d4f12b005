// Speed of two builds of the addon at the same work: Whisper models of a real shape, 30 s of noise, one thread.
// The builds take turns, each run in a process of its own; the medians are compared.
//
//   node test/bench/builds.mjs build/Release/earshot.node prebuilds/linux-x64/x86-64-v4-vnni/earshot.glibc.node
//   … --runs 7 --size base --seconds 30
//
// Time is the processor's (user and system), which other programs on the machine disturb least; the clock's is
// printed beside it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { argv, execPath, exit } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { usualClip, usualLoad } from '../helpers/whisper-defaults.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function measure(file, path, seconds) {
	const addon = createRequire(import.meta.url)(file);
	const model = await addon.loadWhisper({ path, ...usualLoad });
	let state = 1;
	const samples = Float32Array.from({ length: seconds * 16_000 }, () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return (state / 2 ** 32 - 0.5) / 10;
	});
	const { text } = await model.transcribe(samples.subarray(0, 16_000), usualClip);
	const before = process.cpuUsage();
	const start = performance.now();
	await model.transcribe(samples, usualClip);
	const clock = (performance.now() - start) / 1000;
	const { user, system } = process.cpuUsage(before);
	await model.close();
	return { processor: (user + system) / 1e6, clock, text };
}

function shape(size, type) {
	const out = join(root, 'build', 'bench', `${size}-${type}.bin`);
	mkdirSync(join(root, 'build', 'bench'), { recursive: true });
	if (existsSync(out)) return out;
	const script = join(root, 'fixtures', 'make-shape.mjs');
	const args = [script, '--size', size, '--type', type, '--tokens', '60', '--out', out];
	if (spawnSync(execPath, args, { stdio: ['ignore', 2, 2] }).status !== 0)
		throw new Error('make-shape.mjs failed');
	return out;
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		runs: { type: 'string', default: '7' },
		size: { type: 'string', default: 'base' },
		seconds: { type: 'string', default: '30' },
		child: { type: 'boolean' },
	},
});

if (values.child) {
	const [file, path] = positionals;
	console.log(JSON.stringify(await measure(file, path, Number(values.seconds))));
	exit(0);
}
if (positionals.length !== 2) {
	console.error(`usage: node ${argv[1]} ADDON ADDON [--runs N] [--size SIZE] [--seconds S]`);
	exit(2);
}
const builds = positionals.map((file) => resolve(file));
console.log(`${cpus()[0].model}, ${values.size}, ${values.seconds} s of noise, ${values.runs} runs each`);
for (const type of ['f16', 'q8_0']) {
	const path = shape(values.size, type);
	const times = builds.map(() => []);
	for (let run = 0; run < Number(values.runs); run++) {
		// Whoever is first in one round is last in the next.
		const order = run % 2 === 0 ? [0, 1] : [1, 0];
		for (const index of order) {
			const args = [argv[1], '--child', builds[index], path, '--seconds', values.seconds];
			const { stdout, stderr, status } = spawnSync(execPath, args, { encoding: 'utf8' });
			if (status !== 0) throw new Error(stderr);
			times[index].push(JSON.parse(stdout));
		}
	}
	const medians = times.map((list) => ({
		processor: median(list.map(({ processor }) => processor)),
		clock: median(list.map(({ clock }) => clock)),
	}));
	for (const [index, { processor, clock }] of medians.entries())
		console.log(
			`${type.padEnd(5)} ${processor.toFixed(3)} s of processor, ${clock.toFixed(3)} s by the clock  ${positionals[index]}`,
		);
	const ratio = (what) => (medians[0][what] / medians[1][what]).toFixed(3);
	console.log(
		`${type.padEnd(5)} the second runs at ${ratio('processor')} x the first's speed (by the clock ${ratio('clock')} x)`,
	);
}
