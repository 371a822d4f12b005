/** Clients of live sessions that speak in real time, and how long they wait for their text. */

import { WebSocket } from 'ws';

/**
 * @typedef {object} Heard
 * @property {number[]} firstMs from telling that speech has started to the first text, of each turn that has one
 * @property {number[]} finalMs from the end of a turn, which includes its silence, to its whole text
 * @property {number} turns
 * @property {number} failed
 */

const pieceMs = 100;
const bytesOfPiece = (16_000 * 2 * pieceMs) / 1000;

/**
 * One client: sends its audio a tenth of a second at a time, over and over, until the time is up.
 * @param {string} base http://…
 * @param {Buffer} pcm 16 kHz, 16 bits
 * @param {number} seconds
 * @param {number} offset byte to begin at, so that clients do not speak in chorus
 * @returns {Promise<Heard>}
 */
export async function speaker(base, pcm, seconds, offset) {
	const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/realtime`);
	/** @type {Heard} */
	const heard = { firstMs: [], finalMs: [], turns: 0, failed: 0 };
	/** When each piece was sent; its index is where it lies in the session's audio. */
	const sentMs = [];
	const started = new Map();
	const ends = new Map();
	let open = 0;
	/** When the audio at this moment of the session was sent. */
	const sentAt = (audioMs) => sentMs[Math.min(Math.ceil(audioMs / pieceMs) - 1, sentMs.length - 1)] ?? 0;
	await new Promise((resolve, reject) => {
		socket.on('error', reject);
		socket.once('message', resolve);
	});
	socket.on('message', (data) => {
		const event = JSON.parse(data.toString());
		const now = performance.now();
		switch (event.type) {
			case 'input_audio_buffer.speech_started':
				started.set(event.item_id, sentAt(event.audio_start_ms));
				break;
			case 'input_audio_buffer.speech_stopped':
				ends.set(event.item_id, sentAt(event.audio_end_ms));
				break;
			case 'input_audio_buffer.committed':
				open++;
				break;
			case 'conversation.item.input_audio_transcription.delta':
				if (started.has(event.item_id)) heard.firstMs.push(now - started.get(event.item_id));
				started.delete(event.item_id);
				break;
			case 'conversation.item.input_audio_transcription.completed':
				open--;
				heard.turns++;
				heard.finalMs.push(now - (ends.get(event.item_id) ?? now));
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
	for (let index = 0; index < pieces; index++) {
		const dueMs = beganMs + index * pieceMs;
		const waitMs = dueMs - performance.now();
		if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
		const at = (offset + index * bytesOfPiece) % pcm.length;
		const audio = pcm.subarray(at, at + bytesOfPiece).toString('base64');
		sentMs.push(performance.now());
		socket.send(JSON.stringify({ type: 'input_audio_buffer.append', audio }));
	}
	for (let waited = 0; open > 0 && waited < 10_000; waited += 50)
		await new Promise((resolve) => setTimeout(resolve, 50));
	socket.terminate();
	return heard;
}
