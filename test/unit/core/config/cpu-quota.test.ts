import { describe, expect, test } from 'vitest';
import { cpuQuota, usableThreads } from '../../../../src/core/config/cpu-quota.js';

const reading = (files: Record<string, string>) => (file: string) => files[file];

describe('the CPU quota of version 2', () => {
	test('is that of a container, which sees its own group at the root', () => {
		const read = reading({
			'/proc/self/cgroup': '0::/\n',
			'/sys/fs/cgroup/cpu.max': '150000 100000\n',
		});
		expect(cpuQuota(read)).toBe(1.5);
	});

	test('is the minimum of a group and its ancestors', () => {
		const read = reading({
			'/proc/self/cgroup': '0::/system.slice/earshot.service\n',
			'/sys/fs/cgroup/system.slice/cpu.max': '200000 100000\n',
			'/sys/fs/cgroup/system.slice/earshot.service/cpu.max': 'max 100000\n',
		});
		expect(cpuQuota(read)).toBe(2);
	});

	test('is none where the file says max, or is not there', () => {
		expect(
			cpuQuota(reading({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' })),
		).toBe(Infinity);
		expect(cpuQuota(reading({ '/proc/self/cgroup': '0::/\n' }))).toBe(Infinity);
	});
});

describe('the CPU quota of version 1', () => {
	const group = [
		'12:memory:/docker/c1',
		'4:cpu,cpuacct:/docker/c1',
		'1:name=systemd:/docker/c1',
		'0::/docker/c1',
		'',
	].join('\n');

	test('is that of the group', () => {
		const read = reading({
			'/proc/self/cgroup': group,
			'/sys/fs/cgroup/cpu,cpuacct/docker/c1/cpu.cfs_quota_us': '50000\n',
			'/sys/fs/cgroup/cpu,cpuacct/docker/c1/cpu.cfs_period_us': '100000\n',
		});
		expect(cpuQuota(read)).toBe(0.5);
	});

	test('is found where a container sees its own group at the root, under the short name', () => {
		const read = reading({
			'/proc/self/cgroup': group,
			'/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '300000\n',
			'/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
		});
		expect(cpuQuota(read)).toBe(3);
	});

	test('is none at -1', () => {
		const read = reading({
			'/proc/self/cgroup': group,
			'/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
			'/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
		});
		expect(cpuQuota(read)).toBe(Infinity);
	});
});

test.each([
	['nothing', undefined],
	['no group', ''],
	['garbage', 'x\n::::\n0:cpu\n'],
	['a group above the root', '0::/../../x\n'],
])('no quota follows from %s', (_, group) => {
	const files: Record<string, string> = { '/sys/fs/x/cpu.max': '1 100000', '/x/cpu.max': '1 100000' };
	if (group !== undefined) files['/proc/self/cgroup'] = group;
	expect(cpuQuota(reading(files))).toBe(Infinity);
});

test.each([
	[8, Infinity, 8],
	[8, 16, 8],
	[8, 2.5, 2],
	[8, 0.5, 1],
	[1, 1.5, 1],
])('%i cores with a quota of %d run %i threads', (cores, quota, threads) => {
	expect(usableThreads(cores, quota)).toBe(threads);
});
