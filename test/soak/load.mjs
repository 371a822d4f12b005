// What clients do to a server for hours: they speak, dictate and upload, and some of them vanish in the middle.
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

const completed = 'conversation.item.input_audio_transcription.completed';
const failed = 'conversation.item.input_audio_transcription.failed';

const pieceMs = 100;

/**
 * @typedef {object} Counts what was done and what came of it
 * @property {number} turns
 * @property {number} dictations
 * @property {number} uploads
 * @property {number} vanished clients that left without a word, speaking or uploading
 * @property {number} refused
 * @property {string[]} faults
 */

/** @returns {Counts} */
export const nothingYet = () => ({
	turns: 0,
	dictations: 0,
	uploads: 0,
	vanished: 0,
	refused: 0,
	faults: [],
});

/** A socket on which a session has begun; undefined where it was refused. */
async function session(base, model, input, counts) {
	const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/realtime?model=${model}`);
	const events = [];
	let wake = () => {};
	let isClosed = false;
	let status = 0;
	socket.on('unexpected-response', (request, response) => {
		status = response.statusCode ?? 0;
		request.destroy();
	});
	socket.on('error', () => {});
	socket.on('close', () => {
		isClosed = true;
		wake();
	});
	socket.on('message', (data) => {
		const event = JSON.parse(data.toString());
		if (event.type === completed) counts.turns++;
		if (event.type === failed || event.type === 'error') counts.faults.push(JSON.stringify(event));
		events.push(event);
		wake();
	});
	/** Whether it holds before the socket closes, in a minute at most. */
	const until = async (holds) => {
		const patience = AbortSignal.timeout(60_000);
		patience.addEventListener('abort', () => wake());
		while (!holds() && !isClosed && !patience.aborted)
			await new Promise((resolve) => {
				wake = () => resolve(undefined);
			});
		return holds();
	};
	const count = (type) => events.filter((event) => event.type === type).length;
	const send = (event) => socket.send(JSON.stringify(event));
	if (!(await until(() => count('session.created') > 0))) {
		if (status === 429) counts.refused++;
		else counts.faults.push(`a session did not begin: ${status}`);
		return undefined;
	}
	send({ type: 'session.update', session: { type: 'transcription', audio: { input } } });
	await until(() => count('session.updated') > 0);
	return { socket, events, send, until, count, isOpen: () => !isClosed };
}

/** In real time. @param {Buffer} audio @param {number} bytesPerMs */
async function speak({ send, isOpen }, audio, bytesPerMs) {
	const beganMs = performance.now();
	const size = pieceMs * bytesPerMs;
	for (let at = 0; at < audio.length && isOpen(); at += size) {
		send({
			type: 'input_audio_buffer.append',
			audio: audio.subarray(at, at + size).toString('base64'),
		});
		await sleep(Math.max(0, beganMs + (at + size) / bytesPerMs - performance.now()));
	}
}

const pcm16k = { type: 'audio/pcm', rate: 16_000 };

/**
 * One session that lasts as long as the server, and says the same over and over.
 * @returns {Promise<number[]>} where each turn began, milliseconds of the session's audio
 */
export async function speakOn({ base, model, pcm, isOver, counts }) {
	const opened = await session(base, model, { format: pcm16k }, counts);
	if (opened === undefined) return [];
	let rounds = 0;
	for (; !isOver() && opened.isOpen(); rounds++) await speak(opened, pcm, 32);
	await opened.until(() => opened.count(completed) >= rounds);
	opened.socket.close();
	return opened.events
		.filter(({ type }) => type === 'input_audio_buffer.speech_started')
		.map(({ audio_start_ms }) => audio_start_ms);
}

/** Sessions that come and go, each in another way. */
export async function comeAndGo({ base, models, pcm, isOver, counts }) {
	for (let round = 0; !isOver(); round++) {
		const model = models[round % models.length];
		const byHand = round % 5 === 1;
		const opened = await session(
			base,
			model,
			{ format: pcm16k, ...(byHand && { turn_detection: null }) },
			counts,
		);
		if (opened === undefined) {
			await sleep(5000);
			continue;
		}
		const half = pcm.subarray(0, pcm.length / 2 - ((pcm.length / 2) % 2));
		switch (round % 5) {
			case 0:
				// Waits for its text.
				await speak(opened, pcm, 32);
				await opened.until(() => opened.count(completed) > 0);
				opened.socket.close();
				break;
			case 1:
				await speak(opened, pcm, 32);
				opened.send({ type: 'input_audio_buffer.commit' });
				await opened.until(() => opened.count(completed) > 0);
				opened.socket.close();
				break;
			case 2:
				// Is gone in the middle of a turn.
				await speak(opened, half, 32);
				counts.vanished++;
				opened.socket.terminate();
				break;
			case 3:
				// Changes its mind.
				await speak(opened, half, 32);
				opened.send({ type: 'input_audio_buffer.clear' });
				await opened.until(() => opened.count('input_audio_buffer.cleared') > 0);
				opened.socket.close();
				break;
			case 4:
				// Closes without waiting for the text.
				await speak(opened, pcm, 32);
				opened.socket.close();
				break;
		}
		await opened.until(() => false);
	}
}

/** @param {Buffer} file @param {number} [giveUpAfterMs] */
async function post(base, model, file, counts, giveUpAfterMs) {
	const form = new FormData();
	form.append('file', new Blob([file]), 'speech.wav');
	form.append('model', model);
	const signal = giveUpAfterMs === undefined ? undefined : AbortSignal.timeout(giveUpAfterMs);
	try {
		const response = await fetch(`${base}/v1/audio/transcriptions`, { method: 'POST', body: form, signal });
		const { text } = await response.json();
		if (response.status === 429) counts.refused++;
		else if (!response.ok || !text) counts.faults.push(`a recording got ${response.status} and "${text}"`);
		return response.ok;
	} catch (thrown) {
		if (signal?.aborted) counts.vanished++;
		else counts.faults.push(String(thrown));
		return false;
	}
}

/** Short recordings, now and then; every fifth is given up. */
export async function dictate({ base, model, file, isOver, counts }) {
	for (let round = 0; !isOver(); round++) {
		if (await post(base, model, file, counts, round % 5 === 4 ? 100 : undefined)) counts.dictations++;
		await sleep(1500);
	}
}

/** Long ones, one after another; every third is given up. */
export async function upload({ base, model, file, isOver, counts }) {
	for (let round = 0; !isOver(); round++) {
		if (await post(base, model, file, counts, round % 3 === 2 ? 1000 : undefined)) counts.uploads++;
		await sleep(500);
	}
}
