/** Records the microphone with a program installed on this machine. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { EarshotError } from '../../core/errors.js';

export interface Recorder {
	readonly program: string;
	readonly args: readonly string[];
}

/** Programs that write the microphone's audio to standard output as 16 bits, mono, little-endian; best first. Pure. */
export function recordersFor(platform: string, rate: number, device?: string): readonly Recorder[] {
	const raw = ['-t', 'raw', '-r', String(rate), '-e', 'signed-integer', '-b', '16', '-L', '-c', '1', '-'];
	const quiet = ['-hide_banner', '-loglevel', 'error', '-nostdin'];
	const pcm = ['-ac', '1', '-ar', String(rate), '-f', 's16le', '-'];
	const sox = (type: string) => (device === undefined ? ['-q', '-d'] : ['-q', '-t', type, device]);
	const ffmpeg = (type: string, input: string): Recorder => ({
		program: 'ffmpeg',
		args: [...quiet, '-f', type, '-i', input, ...pcm],
	});
	const soxOf = (type: string): Recorder => ({ program: 'sox', args: [...sox(type), ...raw] });
	switch (platform) {
		case 'darwin':
			return [soxOf('coreaudio'), ffmpeg('avfoundation', `:${device ?? 'default'}`)];
		case 'win32':
			// On Windows FFmpeg finds microphones only by name.
			return [soxOf('waveaudio'), ...(device === undefined ? [] : [ffmpeg('dshow', `audio=${device}`)])];
		default: {
			const of = device === undefined ? [] : ['-D', device];
			const args = ['-q', ...of, '-t', 'raw', '-f', 'S16_LE', '-c', '1', '-r', String(rate)];
			return [{ program: 'arecord', args }, soxOf('alsa'), ffmpeg('alsa', device ?? 'default')];
		}
	}
}

type Started = ChildProcessByStdio<null, Readable, Readable>;

/** Yields audio until `signal` aborts. Throws `engine_missing` if no recording program is installed,
 * `audio_unsupported` if it ends by itself. */
export async function* recorded(
	recorders: readonly Recorder[],
	signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
	const { child, program } = await firstThatStarts(recorders);
	const stop = () => void child.kill();
	signal.addEventListener('abort', stop, { once: true });
	const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
	let said = '';
	child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
	try {
		if (signal.aborted) return;
		for await (const piece of child.stdout) {
			if (signal.aborted) return;
			yield piece as Uint8Array;
		}
		await ended;
		if (signal.aborted) return;
		const why = said.trim().split('\n').at(-1) ?? '';
		throw new EarshotError(
			'audio_unsupported',
			`${program} has stopped recording${why === '' ? '' : `: ${why}`}; to choose another microphone: --device NAME`,
		);
	} finally {
		signal.removeEventListener('abort', stop);
		child.kill();
	}
}

async function firstThatStarts(
	recorders: readonly Recorder[],
): Promise<{ readonly child: Started; readonly program: string }> {
	for (const { program, args } of recorders) {
		const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
		try {
			await once(child, 'spawn');
			return { child, program };
		} catch {
			// It is not installed, or cannot be run: try the next program.
		}
	}
	const names = [...new Set(recorders.map(({ program }) => program))].join(', ');
	throw new EarshotError(
		'engine_missing',
		`No recording program is installed on this machine: install one of ${names}, or give PCM on standard input with \`-\``,
	);
}
