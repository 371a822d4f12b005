/** Clients of live sessions that speak in real time, and how long they wait for their text. */

import { WebSocket } from 'ws';

/**
 * @typedef {object} Turn
 * @property {number} fromMs where in the session's audio it begins
 * @property {number} toMs where it ends, its silence included
 * @property {number} [firstAtMs] when its first text came
 * @property {number} [finalAtMs] when it had its whole text
 *
 * @typedef {object} Heard
 * @property {Turn[]} turns
 * @property {number} failed
 * @property {(audioMs: number) => number} sentAt when the audio at this moment of the session was sent
 */

const pieceMs = 100;
const bytesOfPiece = (16_000 * 2 * pieceMs) / 1000;

/** From the end of each turn, which includes its silence, to its whole text, milliseconds. @param {Heard} heard */
export const finalMsOf = ({ turns, sentAt }) =>
	turns.flatMap(({ toMs, finalAtMs }) => (finalAtMs === undefined ? [] : [finalAtMs - sentAt(toMs)]));

/**
 * One client: sends its audio a tenth of a second at a time, over and over, until the time is up or it is told to stop.
 * @param {string} base http://…
 * @param {Buffer} pcm 16 kHz, 16 bits
 * @param {number} seconds
 * @param {{ offset?: number, model?: string, speed?: number, isOver?: () => boolean }} [options] `offset`: byte to
 * begin at, so that clients do not speak in chorus; `speed`: times real time
 * @returns {Promise<Heard>}
 */
export async function speaker(
	base,
	pcm,
	seconds,
	{ offset = 0, model, speed = 1, isOver = () => false } = {},
) {
	const query = model === undefined ? '' : `?model=${model}`;
	const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/realtime${query}`);
	/** When each piece was sent; its index is where it lies in the session's audio. */
	const sentMs = [];
	const sentAt = (audioMs) => sentMs[Math.min(Math.ceil(audioMs / pieceMs) - 1, sentMs.length - 1)] ?? 0;
	/** @type {Heard} */
	const heard = { turns: [], failed: 0, sentAt };
	/** @type {Map<string, Turn>} */
	const turns = new Map();
	let open = 0;
	await new Promise((resolve, reject) => {
		socket.on('error', reject);
		socket.once('message', resolve);
	});
	socket.on('message', (data) => {
		const event = JSON.parse(data.toString());
		const now = performance.now();
		switch (event.type) {
			case 'input_audio_buffer.speech_started':
				turns.set(event.item_id, { fromMs: event.audio_start_ms, toMs: 0 });
				break;
			case 'input_audio_buffer.speech_stopped':
				turns.get(event.item_id).toMs = event.audio_end_ms;
				break;
			case 'input_audio_buffer.committed':
				open++;
				break;
			case 'conversation.item.input_audio_transcription.delta':
				turns.get(event.item_id).firstAtMs ??= now;
				break;
			case 'conversation.item.input_audio_transcription.completed':
				open--;
				turns.get(event.item_id).finalAtMs = now;
				heard.turns.push(turns.get(event.item_id));
				break;
			case 'conversation.item.input_audio_transcription.failed':
			case 'error':
				heard.failed++;
				break;
		}
	});
	const session = {
		type: 'transcription',
		audio: { input: { format: { type: 'audio/pcm', rate: 16_000 } } },
	};
	socket.send(JSON.stringify({ type: 'session.update', session }));
	await new Promise((resolve) => {
		socket.on('message', (data) => {
			if (JSON.parse(data.toString()).type === 'session.updated') resolve(undefined);
		});
	});
	const beganMs = performance.now();
	const pieces = Math.round((seconds * 1000) / pieceMs);
	for (let index = 0; index < pieces && !isOver(); index++) {
		const dueMs = beganMs + (index * pieceMs) / speed;
		const waitMs = dueMs - performance.now();
		if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
		const at = (offset + index * bytesOfPiece) % pcm.length;
		const piece = pcm.subarray(at, at + bytesOfPiece);
		const audio = Buffer.concat([piece, pcm.subarray(0, bytesOfPiece - piece.length)]).toString('base64');
		sentMs.push(performance.now());
		socket.send(JSON.stringify({ type: 'input_audio_buffer.append', audio }));
	}
	for (let waited = 0; open > 0 && waited < 10_000; waited += 50)
		await new Promise((resolve) => setTimeout(resolve, 50));
	socket.terminate();
	return heard;
}

/**
 * One client that ends its turns itself, as push-to-talk does: speaks in real time, commits, waits for the text.
 * @param {string} base http://…
 * @param {Buffer} pcm 16 kHz, 16 bits
 * @param {{ model: string, seconds: number, count: number }} how `seconds`: of each turn
 * @returns {Promise<number[]>} from each commit to its whole text, milliseconds
 */
export async function committer(base, pcm, { model, seconds, count }) {
	const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/realtime?model=${model}`);
	/** @type {(reason: Error) => void} */
	let fail = () => {};
	socket.on('error', (error) => fail(error));
	/** @type {(type: string) => Promise<void>} */
	const received = (wanted) =>
		new Promise((resolve, reject) => {
			fail = reject;
			socket.on('message', function take(data) {
				const { type, error } = JSON.parse(data.toString());
				if (type === 'error' || type.endsWith('.failed')) reject(new Error(error.message));
				if (type !== wanted) return;
				socket.off('message', take);
				resolve();
			});
		});
	await received('session.created');
	const input = { format: { type: 'audio/pcm', rate: 16_000 }, turn_detection: null };
	socket.send(
		JSON.stringify({ type: 'session.update', session: { type: 'transcription', audio: { input } } }),
	);
	await received('session.updated');
	const waits = [];
	const bytesOfTurn = seconds * 1000 * (bytesOfPiece / pieceMs);
	for (let turn = 0; turn < count; turn++) {
		const from = (turn * bytesOfTurn) % (pcm.length - bytesOfTurn);
		const beganMs = performance.now();
		for (let at = 0; at < bytesOfTurn; at += bytesOfPiece) {
			const waitMs = beganMs + (at / bytesOfPiece) * pieceMs - performance.now();
			if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
			const audio = pcm.subarray(from + at, from + at + bytesOfPiece).toString('base64');
			socket.send(JSON.stringify({ type: 'input_audio_buffer.append', audio }));
		}
		const committedMs = performance.now();
		const text = received('conversation.item.input_audio_transcription.completed');
		socket.send(JSON.stringify({ type: 'input_audio_buffer.commit' }));
		await text;
		waits.push(performance.now() - committedMs);
	}
	socket.terminate();
	return waits;
}
