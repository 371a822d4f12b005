/** The parts of a live stream over an engine that recognizes numbers: loud samples are speech. */

import type { LiveInput } from '../../../../src/audio/live-input.js';
import type { OpenVad } from '../../../../src/audio/vad.js';
import type { LiveEvent, LiveOptions } from '../../../../src/core/live/live.js';
import type { ClipResult } from '../../../../src/core/speech/clip.js';
import type { Batch, Engine, SpeechStream } from '../../../../src/engines/engine.js';
import { ModelTime } from '../../../../src/pipeline/live/model-time.js';
import { LiveAudio, type LiveParts } from '../../../../src/pipeline/live/stream.js';
import { Scheduler } from '../../../../src/scheduler/scheduler.js';
import { plainRecognition } from '../../../helpers/options.js';
import { info, limits, settled } from '../../../helpers/scripted-engine.js';

/** Takes 16 kHz as they are. */
function openInput(): LiveInput {
	let half: number | undefined;
	return {
		push(bytes, last) {
			const all = half === undefined ? [...bytes] : [half, ...bytes];
			half = !last && all.length % 2 === 1 ? all.pop() : undefined;
			const samples = new Float32Array(all.length >> 1);
			for (const at of samples.keys()) {
				const value = (all[2 * at] ?? 0) | ((all[2 * at + 1] ?? 0) << 8);
				samples[at] = ((value << 16) >> 16) / 32_768;
			}
			return samples;
		},
	};
}

/** Windows of 512 samples, as Silero's; a span begins with a loud one and ends with as much silence as it takes. */
export const openLoudnessVad: OpenVad = async ({ silenceDurationMs }) => {
	let total = 0;
	let rest: number[] = [];
	let since: number | null = null;
	let quietSince = 0;
	return {
		async push(samples, last) {
			const spans = [];
			rest = rest.concat(Array.from(samples));
			while (rest.length >= 512) {
				const isLoud = rest.slice(0, 512).some((sample) => Math.abs(sample) > 0.1);
				rest = rest.slice(512);
				if (isLoud) {
					since ??= total;
					quietSince = total + 512;
				}
				total += 512;
				if (since === null || (total - quietSince) / 16 < silenceDurationMs) continue;
				const end = total - silenceDurationMs * 16;
				if (end > since) spans.push({ start: since / 16_000, end: end / 16_000 });
				since = null;
			}
			if (last && since !== null) {
				spans.push({ start: since / 16_000, end: (total + rest.length) / 16_000 });
				since = null;
			}
			const settledAt = Math.max(since ?? 0, total - silenceDurationMs * 16);
			return { spans, openSince: since === null ? null : since / 16_000, settled: settledAt / 16_000 };
		},
		close: async () => {},
	};
};

/** The loudness of each tenth of a second in it, as digits. */
export function digitsIn(samples: Float32Array): string {
	const digits: string[] = [];
	for (let at = 0; at + 800 <= samples.length; at += 1600) {
		const loud = Math.round(Math.max(...samples.subarray(at, at + 1600).map(Math.abs)) * 10);
		if (loud > 0) digits.push(String(loud));
	}
	return digits.join(' ');
}

const resultWith = (text: string): ClipResult => ({
	language: 'en',
	segments:
		text === ''
			? []
			: [
					{
						start: 0,
						end: 1,
						text: ` ${text}`,
						tokens: [],
						temperature: 0,
						avgLogprob: null,
						noSpeechProb: null,
					},
				],
});

export class DigitEngine implements Engine {
	readonly info = info;
	readonly limits = { ...limits, slots: 2, maxClipThreads: 1 };
	/** Lengths of the clips that ran, in samples. */
	readonly ran: number[] = [];
	/** Of each of them. */
	readonly languages: (string | null)[] = [];
	/** Called before a clip is done; may wait or throw. */
	onRun: (text: string) => Promise<void> = async () => {};
	/** What it writes of the digits that it was given. */
	write = (digits: string): string => digits;

	run({ clips, options }: Batch, signals: readonly AbortSignal[]): Promise<ClipResult>[] {
		return clips.map(async ({ samples }, at) => {
			this.ran.push(samples.length);
			this.languages.push(options.language);
			const text = digitsIn(samples);
			await this.onRun(text);
			signals[at]?.throwIfAborted();
			return resultWith(this.write(text));
		});
	}

	async close(): Promise<void> {}
}

/** Hears while the audio comes. */
export function digitStream(): SpeechStream {
	let received = new Float32Array(0);
	return {
		async feed(samples) {
			const all = new Float32Array(received.length + samples.length);
			all.set(received);
			all.set(samples, received.length);
			received = all;
			return { result: resultWith(digitsIn(received)), endpoint: false };
		},
		close: async () => {},
	};
}

export const manual: LiveOptions = {
	format: { encoding: 'pcm16', rate: 16_000 },
	turns: null,
	recognize: plainRecognition,
	partials: false,
};

export const byVoice: LiveOptions = {
	...manual,
	turns: { threshold: 0.5, prefixPaddingMs: 100, silenceDurationMs: 500 },
};

/** PCM of stretches of a loudness (0..9, of ten) and a length in milliseconds. */
export function pcm(...stretches: readonly (readonly [loudness: number, ms: number])[]): Uint8Array {
	const samples = stretches.flatMap(([loudness, ms]) =>
		Array.from({ length: ms * 16 }, (_, at) => (at % 2 === 0 ? 1 : -1) * loudness * 3276),
	);
	return new Uint8Array(Int16Array.from(samples).buffer);
}

export function arrange(options: LiveOptions, given: Partial<LiveParts> = {}) {
	const engine = new DigitEngine();
	const events: LiveEvent[] = [];
	const scheduler = new Scheduler(engine, 2);
	const parts: LiveParts = {
		info,
		limits: engine.limits,
		scheduler,
		openAudio: () => {
			throw new Error('live audio comes from no file');
		},
		openVad: openLoudnessVad,
		openLiveInput: openInput,
		time: new ModelTime({ limits: engine.limits, isStreaming: given.openStream !== undefined }),
		...given,
	};
	const stream = new LiveAudio(parts, options, (event) => events.push(event));
	/** Waits until an event of this type has come so many times. */
	const until = async (type: LiveEvent['type'], count = 1): Promise<void> => {
		while (events.filter((event) => event.type === type).length < count) await settled();
	};
	return { engine, scheduler, events, stream, until };
}

/** Each event in a word or two, without those about progress. */
export function summaryOf(events: readonly LiveEvent[]): string[] {
	return events.filter(({ type }) => type !== 'processed' && type !== 'configured').map(inWords);
}

function inWords(event: LiveEvent): string {
	switch (event.type) {
		case 'delta':
			return `${event.turn}:${event.text}`;
		case 'completed':
			return `${event.turn} is ${event.text}`;
		case 'failed':
			return `${event.turn} failed: ${event.error.code}`;
		case 'started':
		case 'stopped':
			return `${event.turn} ${event.type} at ${event.atMs}`;
		case 'committed':
			return `${event.turn} committed: ${event.seconds} s`;
		case 'processed':
		case 'configured':
		case 'empty':
		case 'cleared':
		case 'refused':
		case 'ended':
		case 'moved':
		case 'lost':
			return event.type;
	}
}
