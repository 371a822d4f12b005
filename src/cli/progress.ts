/** How far a recording is: a bar on a terminal, nothing elsewhere. On stderr, so that stdout stays the transcript. */

import { SingleBar } from 'cli-progress';

export interface Progress {
	start(name: string, seconds: number): void;
	update(seconds: number): void;
	stop(): void;
}

const none: Progress = { start() {}, update() {}, stop() {} };

export function progressOn(stream: NodeJS.WriteStream): Progress {
	if (!stream.isTTY) return none;
	const bar = new SingleBar({
		stream,
		format: '{name} [{bar}] {percentage}% {value}/{total} s',
		clearOnComplete: true,
		hideCursor: true,
		barsize: 30,
	});
	return {
		start: (name, seconds) => bar.start(Math.ceil(seconds), 0, { name }),
		update: (seconds) => bar.update(Math.round(seconds)),
		stop: () => bar.stop(),
	};
}
