/** Explains in `earshot doctor` why no GPU is in use. */

import type { Choice } from '../../addon/candidates.js';
import type { GpuPackage } from '../../addon/packages.js';

export interface Finding {
	readonly ok: boolean;
	readonly what: string;
	readonly detail: string;
}

/** Files whose presence shows, without loading a library, that a backend may have a GPU. */
export const gpuSigns: Readonly<Record<string, string>> = {
	cuda: '/proc/driver/nvidia/version',
	vulkan: '/dev/dri/renderD128',
};

/**
 * `packages`: the GPU packages for this platform; `choice`: which addon was loaded; `hasSign`: whether a backend's file
 * in `gpuSigns` exists. An installed package that is not used is a fault even without such a sign.
 */
export function gpuFinding(
	packages: readonly GpuPackage[],
	{ chosen, refused }: Choice,
	hasSign: (backend: string) => boolean,
): Finding {
	const fine = (detail: string): Finding => ({ ok: true, what: 'GPU', detail });
	if (packages.length === 0) return fine('none in use: there is no GPU package for this platform');
	for (const gpuPackage of packages) {
		const { backend, name, version, expected, installed } = gpuPackage;
		const command = `npm install ${name}@${expected}`;
		if (version === undefined) {
			if (hasSign(backend)) return fine(`found, but not used; to use it: ${command}`);
			continue;
		}
		const missing = (detail: string): Finding => ({ ok: false, what: 'GPU', detail: `${name} ${detail}` });
		if (version !== expected)
			return missing(`is version ${version}, but Earshot needs ${expected}; run: ${command}`);
		if (installed === undefined) return missing(`is incomplete; run: ${command}`);
		const why = refused.find(({ candidate }) => candidate.file === installed)?.why;
		if (why !== undefined) return missing(`could not be used: ${why}${adviceFor(gpuPackage, why)}`);
		if (chosen?.kind === 'local build')
			return missing(`is not used: ${chosen.name} takes precedence; remove one of them`);
	}
	return fine('none found');
}

/** The message of Linux's dynamic loader. */
const missingLibrary = /^(\S+?): cannot open shared object file/;
/** CUDA libraries (not the driver's) that are missing, or older than the package needs. */
const unfitCuda =
	/^lib(cudart|cublas|cublasLt)\.so|undefined symbol: (__)?(cuda|cublas)|version `lib(cudart|cublas)/;

/** How to make a GPU package usable: sentences that are appended to the reason. */
function adviceFor({ backend, cuda }: GpuPackage, why: string): string {
	const library = missingLibrary.exec(why)?.[1] ?? '';
	if (library.startsWith('libvulkan.so')) return '. Run: apt-get install libvulkan1';
	if (backend !== 'cuda' || cuda === undefined) return '';
	if (library.startsWith('libcuda.so'))
		return ". Install NVIDIA's driver, which includes it (https://www.nvidia.com/drivers), or start the container with --gpus all";
	if (unfitCuda.test(why)) {
		const release = cuda.replace('.', '-');
		return `. It needs the libraries of CUDA ${cuda} or a later ${cuda.split('.')[0]}; with NVIDIA's package source (https://developer.nvidia.com/cuda-downloads), run: apt-get install cuda-cudart-${release} libcublas-${release}`;
	}
	// scripts/release/gpu-package.mjs compresses the GPU code, which older drivers cannot read.
	const driver = Number.parseInt(cuda, 10) < 13 ? 550 : 580;
	return library === ''
		? `. It needs NVIDIA's driver ${driver} or newer and a GPU of compute capability 7.5 or higher; to see both: nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv`
		: '';
}
