/** What a connection does about clients that fall silent or do not read. */

import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { Metrics } from '../../../../src/core/metrics.js';
import { LiveAdmission } from '../../../../src/server/live/admission/admission.js';
import { Connection } from '../../../../src/server/live/connection.js';
import { defaultConfig } from '../../../../src/server/live/protocol/read-session.js';
import { Session } from '../../../../src/server/live/session/session.js';
import { FakeClock, FakeLog, FakePool, FakeTranscriber } from '../../../helpers/fakes.js';
import { settled } from '../../../helpers/scripted-engine.js';

class FakeSocket extends EventEmitter {
	bufferedAmount = 0;
	pings = 0;
	bytesReceived = 0;
	isPaused = false;
	ending: number | 'terminated' | undefined;

	send(_text: string, sent: () => void): void {
		sent();
	}
	ping(): void {
		this.pings++;
	}
	pause(): void {
		this.isPaused = true;
	}
	resume(): void {
		this.isPaused = false;
	}
	close(code: number): void {
		this.ending ??= code;
		this.emit('close');
	}
	terminate(): void {
		this.ending ??= 'terminated';
		this.emit('close');
	}
}

function connect(pool = new FakePool(new FakeTranscriber())): { socket: FakeSocket; clock: FakeClock } {
	const socket = new FakeSocket();
	const clock = new FakeClock();
	const metrics = new Metrics();
	const admission = new LiveAdmission({ maxSessions: 1, metrics, clock });
	let ids = 0;
	new Connection({
		socket: socket as unknown as WebSocket,
		session: new Session({
			config: defaultConfig,
			identity: { id: 'sess_1', expiresAt: 0 },
			newId: (prefix) => `${prefix}_${ids++}`,
			modelOf: () => 'tiny',
		}),
		pool,
		place: admission.admit('tiny', ''),
		log: new FakeLog(),
		bytesReceived: () => socket.bytesReceived,
		...{ metrics, clock, requestId: 'req_1', maxMs: 0, signal: new AbortController().signal },
		onClosed: () => {},
	});
	return { socket, clock };
}

test('a client that answers pings stays', () => {
	const { socket, clock } = connect();
	for (let seconds = 0; seconds < 300; seconds += 5) {
		const { pings } = socket;
		clock.advance(5000);
		if (socket.pings > pings) socket.bytesReceived += 6;
	}
	expect(socket.ending).toBeUndefined();
});

test('a client that is silent is given up within 40 seconds, whenever that began', () => {
	for (let began = 0; began < 5000; began += 500) {
		const { socket, clock } = connect();
		clock.advance(began);
		socket.bytesReceived += 6;
		clock.advance(29_000);
		expect(socket.ending).toBeUndefined();
		clock.advance(11_000);
		expect(socket.ending).toBe('terminated');
	}
});

test('a client that takes minutes to send one large event stays', () => {
	const { socket, clock } = connect();
	for (let seconds = 0; seconds < 300; seconds += 5) {
		socket.bytesReceived += 64_000;
		clock.advance(5000);
	}
	expect(socket.ending).toBeUndefined();
});

test('time in which the server itself was stopped does not count as silence', () => {
	const { socket, clock } = connect();
	clock.advance(20_000);
	clock.stall(3_600_000);
	expect(socket.ending).toBeUndefined();
	clock.advance(45_000);
	expect(socket.ending).toBe('terminated');
});

test('a client that leaves 1 MiB of events unread is closed within 30 seconds', () => {
	const { socket, clock } = connect();
	socket.bufferedAmount = (1 << 20) + 1;
	clock.advance(5000);
	expect(socket.ending).toBeUndefined();
	clock.advance(25_000);
	expect(socket.ending).toBe(1013);
});

test('a client that reads them in time is not', () => {
	const { socket, clock } = connect();
	socket.bufferedAmount = (1 << 20) + 1;
	clock.advance(20_000);
	socket.bufferedAmount = 0;
	clock.advance(5000);
	socket.bufferedAmount = (1 << 20) + 1;
	clock.advance(20_000);
	expect(socket.ending).toBeUndefined();
});

test('audio is read while a model loads, up to a megabyte', async () => {
	const pool = new FakePool(new FakeTranscriber());
	let load = () => {};
	pool.onLoad = () => new Promise<void>((resolve) => (load = resolve));
	const { socket } = connect(pool);
	const audio = Buffer.alloc(48_000).toString('base64');
	const event = Buffer.from(JSON.stringify({ type: 'input_audio_buffer.append', audio }));
	let count = 0;
	for (; !socket.isPaused; count++) {
		socket.bytesReceived += event.length;
		socket.emit('message', event, false);
	}
	expect(count * event.length).toBeGreaterThan(1 << 20);
	expect(count * event.length).toBeLessThan((1 << 20) + 2 * event.length);
	load();
	await settled();
	// The model has not yet processed it.
	expect(socket.isPaused).toBe(true);
});

test('commits that the model leaves unanswered stop the reading', async () => {
	const model = new FakeTranscriber();
	const { socket } = connect(new FakePool(model));
	const say = (event: object) => socket.emit('message', Buffer.from(JSON.stringify(event)), false);
	say({ type: 'input_audio_buffer.append', audio: Buffer.alloc(4800).toString('base64') });
	await settled();
	for (let count = 0; count < 256; count++) say({ type: 'input_audio_buffer.commit' });
	expect(socket.isPaused).toBe(false);
	say({ type: 'input_audio_buffer.clear' });
	expect(socket.isPaused).toBe(true);
	const { commands, emit } = model.streams[0]!;
	const commit = commands.find((command) => command.type === 'commit')?.commit ?? 0;
	emit({ type: 'empty', commit, why: 'short' });
	expect(socket.isPaused).toBe(false);
});

test('updates that the model leaves unanswered stop the reading, large ones sooner', async () => {
	const model = new FakeTranscriber();
	const { socket } = connect(new FakePool(model));
	const say = (event: object) => {
		const data = Buffer.from(JSON.stringify(event));
		socket.bytesReceived += data.length;
		socket.emit('message', data, false);
	};
	const update = (prompt: string) =>
		say({
			type: 'session.update',
			session: { audio: { input: { transcription: { model: 'tiny', prompt } } } },
		});
	say({ type: 'input_audio_buffer.append', audio: Buffer.alloc(4800).toString('base64') });
	await settled();
	const { commands, emit } = model.streams[0]!;
	let answered = 0;
	const answer = () => {
		const asked = commands.filter((command) => command.type === 'configure');
		for (const { configure } of asked.slice(answered)) emit({ type: 'configured', configure });
		const count = asked.length - answered;
		answered = asked.length;
		return count;
	};
	for (let count = 0; count < 256; count++) update('');
	expect(socket.isPaused).toBe(false);
	update('');
	expect(socket.isPaused).toBe(true);
	expect(answer()).toBe(257);
	expect(socket.isPaused).toBe(false);
	const prompt = 'x'.repeat(300_000);
	for (let count = 0; count < 3; count++) update(prompt);
	expect(socket.isPaused).toBe(false);
	update(prompt);
	expect(socket.isPaused).toBe(true);
	expect(answer()).toBe(4);
	expect(socket.isPaused).toBe(false);
});

test('a session without audio may update itself as often as it likes', async () => {
	const model = new FakeTranscriber();
	const { socket } = connect(new FakePool(model));
	model.onListen = (stream) => {
		stream.onCommand = (command) => {
			if (command.type === 'configure') stream.emit({ type: 'configured', configure: command.configure });
		};
	};
	const say = (event: object) => {
		const data = Buffer.from(JSON.stringify(event));
		socket.bytesReceived += data.length;
		socket.emit('message', data, false);
	};
	const prompt = 'x'.repeat(10_000);
	const session = { audio: { input: { transcription: { model: 'tiny', prompt } } } };
	for (let count = 0; count < 300; count++) say({ type: 'session.update', session });
	say({ type: 'input_audio_buffer.append', audio: Buffer.alloc(4800).toString('base64') });
	await settled();
	for (let count = 0; count < 300; count++) say({ type: 'session.update', session });
	expect(model.streams[0]?.commands.length).toBe(301);
	expect(socket.isPaused).toBe(false);
});
