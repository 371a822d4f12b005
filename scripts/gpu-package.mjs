// Makes an optional package of the addon for GPUs: build/gpu/earshot-<backend>-<platform>-<arch>/, ready to pack.
// It holds a whole addon (ggml is linked into it) and a copy of the FFmpeg library; Earshot prefers it to its own
// where it is installed, of the same version, and finds a GPU.
//
//   node scripts/gpu-package.mjs cuda         needs nvcc; takes an hour on few cores
//   node scripts/gpu-package.mjs vulkan       needs glslc, libvulkan-dev and spirv-headers
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { arch, argv, execPath, exit, platform, stderr } from 'node:process';
import { faultsOf } from './check-binaries.mjs';
import { archives, download, root } from './download.mjs';
import { build as buildFfmpeg, libraryName } from './ffmpeg.mjs';
import { sysroot } from './sysroot.mjs';
import { targetOf } from './target.mjs';
import { fill } from './vendor.mjs';

const say = (line) => stderr.write(`gpu-package: ${line}\n`);

/** How each is built, and what its users have with their driver. */
const backends = {
	cuda: {
		options: () => ['--CDEARSHOT_CUDA=ON'],
		driver: { library: /^lib(cuda|cudart|cublas|cublasLt)\.so\.\d+$/, symbol: /^(__)?cu/ },
	},
	vulkan: {
		options: async () => ['--CDEARSHOT_VULKAN=ON', `--CDVulkan_INCLUDE_DIR=${await vulkanHeaders()}`],
		driver: { library: /^libvulkan\.so\.1$/, symbol: /^vk/ },
	},
};

/**
 * A folder with these headers alone: the system's as a whole has those of a newer C library. ggml wants newer ones of
 * Vulkan (1.3.272) than Debian 12 has.
 */
async function vulkanHeaders() {
	const folder = join(root, 'build', 'gpu', 'include');
	const unpacked = join(root, 'build', 'gpu', 'vulkan-headers');
	for (const place of [folder, unpacked]) {
		rmSync(place, { recursive: true, force: true });
		mkdirSync(place, { recursive: true });
	}
	run('dpkg-deb', ['-x', await download(archives['vulkan-headers'], say), unpacked]);
	const spirv = '/usr/include/spirv';
	if (!existsSync(spirv)) throw new Error(`no ${spirv}; apt-get install libvulkan-dev spirv-headers glslc`);
	symlinkSync(spirv, join(folder, 'spirv'));
	for (const name of ['vulkan', 'vk_video'])
		symlinkSync(join(unpacked, 'usr', 'include', name), join(folder, name));
	return folder;
}

function run(command, args) {
	const env = { ...process.env, CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()) };
	const { status } = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] });
	if (status !== 0) throw new Error(`${command} ${args.slice(0, 2).join(' ')} ended with ${status}`);
}

async function make(backend) {
	const { version, license, engines, repository } = JSON.parse(
		readFileSync(join(root, 'package.json'), 'utf8'),
	);
	const name = `earshot-${backend}-${platform}-${arch}`;
	const out = join(root, 'build', 'gpu', `work-${backend}`);
	const folder = join(root, 'build', 'gpu', name);
	const target = targetOf();
	const isGlibc = target.libc === 'glibc';
	fill(say);
	const ffmpeg = await buildFfmpeg({ target, oldGlibc: isGlibc, say });
	run(execPath, [
		join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js'),
		'build',
		`--out=${out}`,
		'--CDEARSHOT_NATIVE=OFF',
		`--CDEARSHOT_FFMPEG=${ffmpeg}`,
		// CUDA's own host libraries are older than the promise; the toolkit's headers want the system's glibc.
		...(isGlibc && backend !== 'cuda' ? [`--CDEARSHOT_SYSROOT=${await sysroot(arch, say)}`] : []),
		...(await backends[backend].options()),
	]);
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	cpSync(join(out, 'Release', 'earshot.node'), join(folder, 'earshot.node'));
	if (platform === 'linux') run('strip', ['--strip-all', join(folder, 'earshot.node')]);
	cpSync(join(ffmpeg, libraryName(target)), join(folder, libraryName(target)));
	// The toolkit of CUDA wants the C library of the machine that builds.
	const faults = faultsOf(join(folder, 'earshot.node'), {
		platform,
		driver: backends[backend].driver,
	}).filter((fault) => backend !== 'cuda' || !fault.startsWith('asks for glibc'));
	if (faults.length > 0) throw new Error(`earshot.node ${faults.join('; ')}`);
	for (const file of ['LICENSE', 'NOTICE']) cpSync(join(root, file), join(folder, file));
	cpSync(join(ffmpeg, 'licences'), join(folder, 'licences-ffmpeg'), { recursive: true });
	const manifest = {
		name,
		version,
		description: `Earshot's addon for GPUs, by ${backend === 'cuda' ? 'CUDA' : 'Vulkan'}`,
		license,
		engines,
		...(repository && { repository }),
		os: [platform],
		cpu: [arch],
		...(isGlibc && { libc: ['glibc'] }),
		main: './earshot.node',
		files: ['*.node', '*.so', '*.dll', 'NOTICE', 'licences-ffmpeg'],
	};
	writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, '\t')}\n`);
	say(`${folder}; publish it with: npm publish ${folder}`);
}

try {
	if (!(argv[2] in backends))
		throw new Error(`expected ${Object.keys(backends).join(' or ')}, got ${argv[2]}`);
	await make(argv[2]);
} catch (error) {
	say(error.message);
	exit(1);
}
