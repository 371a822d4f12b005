/** What doctor says where no GPU is in use. */

import { expect, it } from 'vitest';
import type { Choice } from '../../../src/addon/candidates.js';
import type { GpuPackage } from '../../../src/addon/packages.js';
import { gpuFinding } from '../../../src/cli/commands/gpu-finding.js';

const file = '/app/node_modules/earshot-cuda-linux-x64/earshot.node';
const absent: GpuPackage = {
	backend: 'cuda',
	name: 'earshot-cuda-linux-x64',
	expected: '1.2.3',
	version: undefined,
	installed: undefined,
	cuda: undefined,
};
const installed: GpuPackage = { ...absent, version: '1.2.3', installed: file, cuda: '12.8' };
const vulkan: GpuPackage = { ...absent, backend: 'vulkan', name: 'earshot-vulkan-linux-x64' };
const prebuilt: Choice = {
	chosen: { file: '/app/prebuilds/linux-x64/earshot.glibc.node', kind: 'prebuilt', name: 'x86-64-v2' },
	refused: [],
};
const skipped = (why: string): Choice => ({
	...prebuilt,
	refused: [{ candidate: { file, kind: 'GPU package', name: installed.name }, why }],
});
const lacks = (library: string): string =>
	`${library}: cannot open shared object file: No such file or directory`;

const nowhere = () => false;
const everywhere = () => true;

it('a package that is not installed is named only where the machine shows a GPU for it', () => {
	expect(gpuFinding([absent, vulkan], prebuilt, nowhere)).toEqual({
		ok: true,
		what: 'GPU',
		detail: 'none found',
	});
	expect(gpuFinding([absent, vulkan], prebuilt, (backend) => backend === 'vulkan').detail).toBe(
		'found, but not used; to use it: npm install earshot-vulkan-linux-x64@1.2.3',
	);
});

it('no package is named where a platform has none', () => {
	expect(gpuFinding([], prebuilt, everywhere)).toMatchObject({
		ok: true,
		detail: expect.stringContaining('there is no GPU package'),
	});
});

it('one that is installed and not used is a fault, whatever the machine shows, with what it needs', () => {
	for (const why of ['it finds no GPU here', 'it does not start on this GPU (SIGABRT in a trial)']) {
		const { ok, detail } = gpuFinding([installed], skipped(why), nowhere);
		expect(ok).toBe(false);
		expect(detail).toContain(`earshot-cuda-linux-x64 could not be used: ${why}. `);
		expect(detail).toMatch(
			/driver 550 or newer .* 7\.5 or higher; .*: nvidia-smi --query-gpu=\S+ --format=csv$/,
		);
	}
	const later = { ...installed, cuda: '13.0' };
	expect(gpuFinding([later], skipped('it finds no GPU here'), nowhere).detail).toContain('driver 580 or');
});

it('one of another version, or without its file, is reported with the command that repairs it', () => {
	const other = { ...installed, version: '1.2.2', installed: undefined };
	expect(gpuFinding([other], prebuilt, nowhere).detail).toBe(
		'earshot-cuda-linux-x64 is version 1.2.2, but Earshot needs 1.2.3; run: npm install earshot-cuda-linux-x64@1.2.3',
	);
	expect(gpuFinding([{ ...installed, installed: undefined }], prebuilt, nowhere).detail).toBe(
		'earshot-cuda-linux-x64 is incomplete; run: npm install earshot-cuda-linux-x64@1.2.3',
	);
});

it('a missing library is named with where it comes from', () => {
	const detailFor = (library: string, gpuPackage = installed) =>
		gpuFinding([gpuPackage], skipped(lacks(library)), nowhere).detail;
	expect(detailFor('libcuda.so.1')).toMatch(
		/libcuda\.so\.1: cannot open.*Install NVIDIA's driver, which .*--gpus all/,
	);
	for (const library of ['libcudart.so.12', 'libcublas.so.12', 'libcublasLt.so.12'])
		expect(detailFor(library)).toMatch(
			/of CUDA 12\.8 or a later 12; .*run: apt-get install cuda-cudart-12-8 libcublas-12-8$/,
		);
	expect(detailFor('libvulkan.so.1', { ...vulkan, version: '1.2.3', installed: file })).toMatch(
		/libvulkan\.so\.1: .*\. Run: apt-get install libvulkan1$/,
	);
	expect(detailFor('libstrange.so.1')).toMatch(/libstrange\.so\.1: cannot open.*directory$/);
});

it('libraries that are older than the package are reported like missing ones', () => {
	for (const why of [
		`${file}: undefined symbol: cudaGetDriverEntryPointByVersion, version libcudart.so.12`,
		"/usr/lib/libcudart.so.12: version `libcudart.so.12.8' not found (required by earshot.node)",
	])
		expect(gpuFinding([installed], skipped(why), nowhere).detail).toMatch(/libcublas-12-8$/);
});

it('one that the local build comes before is not said to find no GPU', () => {
	const local: Choice = {
		chosen: { file: '/app/build/Release/earshot.node', kind: 'local build', name: 'build/Release' },
		refused: [],
	};
	expect(gpuFinding([installed], local, nowhere)).toMatchObject({
		ok: false,
		detail: 'earshot-cuda-linux-x64 is not used: build/Release takes precedence; remove one of them',
	});
});
