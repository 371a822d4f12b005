import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { arch, platform, version } from 'node:process';
import { root } from './peers.mjs';

/** What a figure was seen on. */
export function machine() {
	const git = (...args) => spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
	const dirty = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ' with changes';
	return {
		processor: cpus()[0]?.model.trim() ?? 'unknown',
		cores: availableParallelism(),
		memoryGiB: Math.round(totalmem() / 2 ** 30),
		system: `${platform} ${release()} ${arch}`,
		node: version,
		commit: `${git('rev-parse', '--short', 'HEAD')}${dirty}`,
		// Other programs' share shows here: over a few tenths the figures are of a busy machine.
		loadBefore: loadavg()[0],
		date: new Date().toISOString(),
	};
}
