import { EventEmitter } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { TurnLines } from '../../../src/cli/listen/print.js';
import { recorded, recordersFor } from '../../../src/cli/listen/recorder.js';
import { RemoteListening } from '../../../src/cli/listen/remote.js';
import { EarshotError } from '../../../src/core/errors.js';
import type { ListenEvent } from '../../../src/library/listen.js';

const delta = (turn: number, text: string): ListenEvent => ({ type: 'delta', turn, text });
const completed = (turn: number): ListenEvent => ({
	type: 'completed',
	turn,
	text: '',
	language: null,
	seconds: 1,
});

describe('printed text', () => {
	const printed = (events: readonly ListenEvent[]) => {
		const lines = new TurnLines();
		return events.map((event) => lines.take(event));
	};

	test('comes word by word, a line for each turn', () => {
		expect(
			printed([delta(0, 'one'), delta(0, ' two'), completed(0), delta(1, 'three'), completed(1)]),
		).toEqual(['one', ' two', '\n', 'three', '\n']);
	});

	test('of a turn waits for the turn before it', () => {
		const started: ListenEvent = { type: 'started', turn: 0, at: 0 };
		expect(printed([started, delta(1, 'two'), delta(0, 'one'), completed(0), completed(1)])).toEqual([
			'',
			'',
			'one',
			'\ntwo',
			'\n',
		]);
	});

	test('has no line of a turn without words', () => {
		const failed: ListenEvent = { type: 'failed', turn: 0, error: new EarshotError('engine_failed', 'no') };
		expect(printed([failed, delta(1, 'one'), completed(1)])).toEqual(['', 'one', '\n']);
	});
});

describe('programs that record', () => {
	test.each([
		['linux', ['arecord', 'sox', 'ffmpeg']],
		['darwin', ['sox', 'ffmpeg']],
		['win32', ['sox']],
	])('on %s', (platform, programs) => {
		expect(recordersFor(platform, 16_000).map(({ program }) => program)).toEqual(programs);
	});

	test('get the rate and the microphone', () => {
		for (const platform of ['linux', 'darwin', 'win32'])
			for (const { args } of recordersFor(platform, 44_100, 'hw:7')) {
				expect(args).toContain('44100');
				expect(args.some((arg) => arg.includes('hw:7'))).toBe(true);
			}
	});

	test('are tried in turn, where one is not there or may not be run', async () => {
		const speaking = { program: process.execPath, args: ['-e', "process.stdout.write('audio')"] };
		const others = [fileURLToPath(import.meta.url), '/nowhere/recorder'].map((program) => ({
			program,
			args: [],
		}));
		const received: string[] = [];
		const all = (async () => {
			const { signal } = new AbortController();
			for await (const piece of recorded([...others, speaking], signal))
				received.push(Buffer.from(piece).toString());
		})();
		await expect(all).rejects.toMatchObject({ code: 'audio_unsupported', message: /has stopped recording/ });
		expect(received).toEqual(['audio']);
		await expect(recorded(others, new AbortController().signal).next()).rejects.toMatchObject({
			code: 'engine_missing',
		});
	});
});

describe('a session of a server', () => {
	test.each(['not JSON', '7', 'null', '\u0001'])('ends with an error where that says %j', async (said) => {
		const socket = Object.assign(new EventEmitter(), {
			send: (_: string, sent: () => void) => sent(),
			close: () => {},
		});
		const opening = RemoteListening.open(socket as unknown as WebSocket, {
			...{ model: undefined, language: undefined, prompt: undefined },
			...{ sampleRate: 16_000, partials: false },
		});
		socket.emit('open');
		const listening = await opening;
		socket.emit('message', Buffer.from(said));
		await expect(listening[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'not_found' });
	});
});
