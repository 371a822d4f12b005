/** Progress bars on a terminal; nothing elsewhere. On stderr, since stdout is the transcript. */

import { SingleBar } from 'cli-progress';

export interface Progress {
	/** `seconds`: the duration that the container declares; null where unknown. */
	start(name: string, seconds: number | null): void;
	update(seconds: number): void;
	stop(): void;
}

const none: Progress = { start() {}, update() {}, stop() {} };

export function progressOn(stream: NodeJS.WriteStream): Progress {
	if (!stream.isTTY) return none;
	const options = { stream, clearOnComplete: true, hideCursor: true, barsize: 30 };
	let bar: SingleBar | undefined;
	return {
		start(name, seconds) {
			const format = seconds === null ? '{name} {value} s' : '{name} [{bar}] {percentage}% {value}/{total} s';
			bar = new SingleBar({ ...options, format });
			bar.start(Math.ceil(seconds ?? 0), 0, { name });
		},
		update(seconds) {
			const done = Math.round(seconds);
			// The declared duration is often too short.
			if (bar && done > bar.getTotal()) bar.setTotal(done);
			bar?.update(done);
		},
		stop: () => bar?.stop(),
	};
}

export interface Transfer {
	update(name: string, bytes: number, total: number | null): void;
	/** Safe to call twice. */
	stop(): void;
}

/** A download bar with rate and time left, on a terminal. */
export function transferOn(stream: NodeJS.WriteStream): Transfer {
	if (!stream.isTTY) return { update() {}, stop() {} };
	let bar: SingleBar | undefined;
	let started = { at: 0, bytes: 0 };
	return {
		update(name, bytes, total) {
			if (!bar) {
				started = { at: performance.now(), bytes };
				bar = new SingleBar({
					stream,
					format: '{name} [{bar}] {got} of {all}, {rate}, {left}',
					clearOnComplete: true,
					hideCursor: true,
					barsize: 30,
				});
				bar.start(Math.max(1, total ?? bytes), 0, { name, got: '', all: '?', rate: '', left: '' });
			}
			// Bytes downloaded by an earlier pull do not count towards the rate.
			const seconds = (performance.now() - started.at) / 1000;
			const rate = seconds > 0 ? (bytes - started.bytes) / seconds : 0;
			bar.setTotal(Math.max(1, total ?? bytes));
			bar.update(bytes, {
				name,
				got: megabytes(bytes),
				all: total === null ? '?' : megabytes(total),
				rate: `${megabytes(rate)}/s`,
				left: total === null || rate === 0 ? '' : `${timeText((total - bytes) / rate)} left`,
			});
		},
		stop() {
			bar?.stop();
			bar = undefined;
		},
	};
}

function megabytes(bytes: number): string {
	return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `65` → `1:05`. */
export function timeText(seconds: number): string {
	const whole = Math.max(0, Math.ceil(seconds));
	const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
	const tail = String(whole % 60).padStart(2, '0');
	return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${tail}` : `${minutes}:${tail}`;
}
