// Makes an optional package of the addon for GPUs, in build/gpu/earshot-<backend>-<platform>-<arch>/, and packs it beside.
// It holds a whole addon (ggml is linked into it) and a copy of the FFmpeg library; Earshot prefers it to its own
// where it is installed, of the same version, and finds a GPU.
//
//   node scripts/release/gpu-package.mjs cuda         needs nvcc and cuBLAS; takes hours on few cores
//   node scripts/release/gpu-package.mjs vulkan       needs glslc, libvulkan-dev and spirv-headers
//   … --CDCMAKE_CUDA_ARCHITECTURES=80         an option of CMake, here for one kind of GPU alone
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { arch, argv, execPath, exit, platform, stderr } from 'node:process';
import { archives, download, root } from '../build/download.mjs';
import { build as buildFfmpeg, libraryName } from '../build/ffmpeg.mjs';
import { sysroot } from '../build/sysroot.mjs';
import { targetOf } from '../build/target.mjs';
import { fill } from '../vendor.mjs';
import { faultsOf } from './check-binaries.mjs';
import { npm } from './pack.mjs';

/**
 * Machine code for every kind of GPU since 2018 (T4, A100, RTX 30 and 40, H100, RTX 50), and the youngest portable code
 * for those to come, which the driver compiles at the first start.
 */
const cudaArchitectures = ['75-real', '80-real', '86-real', '89-real', '90', '120a-real'];

/** The tarball, in bytes: npm's registry has refused those of more than 200 MB. */
const bound = 190e6;

const say = (line) => stderr.write(`gpu-package: ${line}\n`);

/** How each is built, and what its users have with their driver. */
const backends = {
	cuda: {
		options: () => ['--CDEARSHOT_CUDA=ON', `--CDCMAKE_CUDA_ARCHITECTURES=${cudaArchitectures.join(';')}`],
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
	const env = { CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()), ...process.env };
	const { status } = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] });
	if (status !== 0) throw new Error(`${command} ${args.slice(0, 2).join(' ')} ended with ${status}`);
}

async function make(backend, given) {
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
	const usual = [
		// Beside a GPU the processor does little; these run wherever one may be.
		`--CDEARSHOT_LEVEL=${arch === 'x64' ? 'x86-64-v3' : 'armv8.0'}`,
		`--CDEARSHOT_FFMPEG=${ffmpeg}`,
		...(isGlibc ? [`--CDEARSHOT_SYSROOT=${await sysroot(arch, say)}`] : []),
		...(await backends[backend].options()),
	];
	const isGivenOtherwise = (option) => given.some((each) => each.split('=')[0] === option.split('=')[0]);
	const options = [...usual.filter((option) => !isGivenOtherwise(option)), ...given];
	// The second alone would keep the options of an earlier run.
	for (const step of ['configure', 'build'])
		run(execPath, [
			join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js'),
			step,
			`--out=${out}`,
			...options,
		]);
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	cpSync(join(out, 'Release', 'earshot.node'), join(folder, 'earshot.node'));
	if (platform === 'linux') run('strip', ['--strip-all', join(folder, 'earshot.node')]);
	cpSync(join(ffmpeg, libraryName(target)), join(folder, libraryName(target)));
	const faults = faultsOf(join(folder, 'earshot.node'), { platform, driver: backends[backend].driver });
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
		...(backend === 'cuda' && { cuda: cudaVersion(out) }),
		files: ['*.node', '*.so', '*.dll', 'NOTICE', 'licences-ffmpeg'],
	};
	writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, '\t')}\n`);
	const to = join(root, 'build', 'gpu');
	const [packed] = JSON.parse(npm('pack', folder, '--json', '--ignore-scripts', '--pack-destination', to));
	say(
		`${join(to, packed.filename)}: ${packed.files.length} files, ${(packed.size / 1e6).toFixed(2)} MB, ${(packed.unpackedSize / 1e6).toFixed(2)} MB unpacked`,
	);
	if (packed.size > bound) throw new Error(`${name}: more than ${bound / 1e6} MB`);
}

/** The release of CUDA whose libraries the addon wants, e.g. `12.8`: doctor names packages by it. */
function cudaVersion(out) {
	const cache = readFileSync(join(out, 'CMakeCache.txt'), 'utf8');
	const compiler = /^CMAKE_CUDA_COMPILER:\w+=(.+)$/m.exec(cache)?.[1];
	const { stdout: said } = spawnSync(compiler, ['--version'], { encoding: 'utf8' });
	const version = /release (\d+\.\d+)/.exec(said)?.[1];
	if (version === undefined) throw new Error(`${compiler} --version names no release: ${said}`);
	return version;
}

try {
	if (!(argv[2] in backends))
		throw new Error(`expected ${Object.keys(backends).join(' or ')}, got ${argv[2]}`);
	await make(
		argv[2],
		argv.filter((argument) => argument.startsWith('--CD')),
	);
} catch (error) {
	say(error.message);
	exit(1);
}
