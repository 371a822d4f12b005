/** What `earshot doctor` says where no GPU is in use. */

import type { Choice } from '../../addon/candidates.js';
import type { GpuPackage } from '../../addon/packages.js';

export interface Finding {
	readonly ok: boolean;
	readonly what: string;
	readonly detail: string;
}

/** What shows, without any library, that a backend may have a GPU here. */
export const gpuSigns: Readonly<Record<string, string>> = {
	cuda: '/proc/driver/nvidia/version',
	vulkan: '/dev/dri/renderD128',
};

/**
 * Why no GPU is in use, of the packages for this platform and the choice that was made among the addons. `shows` tells
 * which backends have a sign of a GPU. A package that is installed is meant to be used, whatever the machine shows.
 */
export function gpuFinding(
	packages: readonly GpuPackage[],
	{ chosen, refused }: Choice,
	shows: (backend: string) => boolean,
): Finding {
	const fine = (detail: string): Finding => ({ ok: true, what: 'GPU', detail });
	if (packages.length === 0) return fine('none is used: there is no package for GPUs on this platform');
	for (const gpuPackage of packages) {
		const { backend, name, version, expected, installed } = gpuPackage;
		const command = `npm install ${name}@${expected}`;
		if (version === undefined) {
			if (shows(backend)) return fine(`there is one, and it is not used; add it with: ${command}`);
			continue;
		}
		const missing = (detail: string): Finding => ({ ok: false, what: 'GPU', detail: `${name} ${detail}` });
		if (version !== expected) return missing(`is ${version}, and Earshot is ${expected}; run: ${command}`);
		if (installed === undefined) return missing(`is not whole; run: ${command}`);
		const why = refused.find(({ candidate }) => candidate.file === installed)?.why;
		if (why !== undefined) return missing(`is passed over: ${why}${cureFor(gpuPackage, why)}`);
		if (chosen?.kind === 'local build')
			return missing(`is not used: ${chosen.name} comes before it; remove one of them`);
	}
	return fine('none here');
}

/** As the dynamic loader of Linux says it. */
const missingLibrary = /^(\S+?): cannot open shared object file/;
/** Libraries of CUDA, not of the driver, that are not there, or are older than the package. */
const unfitCuda =
	/^lib(cudart|cublas|cublasLt)\.so|undefined symbol: (__)?(cuda|cublas)|version `lib(cudart|cublas)/;

/** What helps a package that is passed over, as sentences to follow the reason. */
function cureFor({ backend, cuda }: GpuPackage, why: string): string {
	const library = missingLibrary.exec(why)?.[1] ?? '';
	if (library.startsWith('libvulkan.so')) return '. Run: apt-get install libvulkan1';
	if (backend !== 'cuda' || cuda === undefined) return '';
	if (library.startsWith('libcuda.so'))
		return ". It comes with NVIDIA's driver: install that (https://www.nvidia.com/drivers), or start the container with --gpus all";
	if (unfitCuda.test(why)) {
		const release = cuda.replace('.', '-');
		return `. It wants libraries of CUDA ${cuda} or a later ${cuda.split('.')[0]}; with NVIDIA's package source (https://developer.nvidia.com/cuda-downloads), run: apt-get install cuda-cudart-${release} libcublas-${release}`;
	}
	// With what the package is made by, scripts/release/gpu-package.mjs: compressed code, which older drivers cannot read.
	const driver = Number.parseInt(cuda, 10) < 13 ? 550 : 580;
	return library === ''
		? `. It wants NVIDIA's driver ${driver} or newer and a GPU of compute capability 7.5 or higher; both are told by: nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv`
		: '';
}
