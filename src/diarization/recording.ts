/** Diarizes one recording and yields the result as events; used by the runner of a diarization model. */

import type { AudioReader, OpenAudio } from '../audio/decode.js';
import { EarshotError } from '../core/errors.js';
import type { PipelineEvent } from '../core/speech/events.js';
import { sampleRate } from '../core/speech/pcm.js';
import type { Recording } from '../core/speech/recording.js';
import { toMilliseconds } from '../core/speech/seconds.js';
import type { FoundSpeakers, KnownVoice, SpeakerOptions } from '../core/speech/speakers.js';
import { type Diarization, type DiarizeHooks, diarize } from './diarizer.js';
import { matchedNames, type NamedVoice } from './known-voices.js';
import type { SpeakerNetworks } from './networks.js';
import type { Semaphore } from './semaphore.js';

export interface DiarizationParts {
	readonly networks: SpeakerNetworks;
	readonly openAudio: OpenAudio;
	/** As in SpeakersOptions. */
	readonly threshold: number;
	/** Limits the recordings that are processed at once, each by one thread. */
	readonly semaphore: Semaphore;
}

export interface DiarizationHooks {
	/** A step has started (-1 for the first window, -2 for the second, …), or has ended. */
	readonly onRunning?: (step: number) => void;
	readonly onStepFinished?: (step: number) => void;
}

/** The limits of reference recordings in OpenAI's API. */
const referenceSeconds = { min: 1.2, max: 10 } as const;
/** Tolerance, since containers round durations. */
const slackSeconds = 0.05;

/** Yields `started`, any number of `progress`, `speakers`, `ended`. Throws EarshotError. */
export async function* diarizeRecording(
	parts: DiarizationParts,
	recording: Recording,
	options: SpeakerOptions,
	signal: AbortSignal,
	{ onRunning, onStepFinished }: DiarizationHooks = {},
): AsyncGenerator<PipelineEvent> {
	const release = await parts.semaphore.acquire(signal);
	const unfinished = new AbortController();
	const wanted = AbortSignal.any([signal, unfinished.signal]);
	const progress = new Progress();
	const startedMs = performance.now();
	try {
		const known: NamedVoice[] = [];
		for (const each of options.known) {
			const voice = await voiceOf(parts, each, wanted);
			if (voice) known.push(voice);
		}
		const reader = parts.openAudio(recording);
		try {
			const duration = await reader.open();
			yield { type: 'started', duration: duration === null ? null : toMilliseconds(duration) };
			const hooks: DiarizeHooks = {
				onWindow: (index) => onRunning?.(-1 - index),
				onProcessed: (index, seconds) => {
					onStepFinished?.(-1 - index);
					progress.at(seconds);
				},
			};
			const counts = { threshold: parts.threshold, min: options.min, max: options.max };
			const running = diarize(parts.networks, reader, counts, wanted, hooks).finally(() => progress.end());
			// Reported below; a rejection before that must not count as unhandled.
			running.catch(() => {});
			for await (const processed of progress)
				yield { type: 'progress', processed: toMilliseconds(processed) };
			const found = await running;
			yield { type: 'speakers', found: foundSpeakers(found, known, parts.networks.fingerprint) };
			yield {
				type: 'ended',
				duration: toMilliseconds(found.duration),
				...(found.truncated && { truncated: true }),
				timing: { decode: 0, queue: 0, run: performance.now() - startedMs },
			};
		} finally {
			// The consumer may have left early.
			unfinished.abort();
			await reader.close();
		}
	} finally {
		release();
	}
}

/** The voice embedding of a reference; null for a stored voice of another network that the request does not name. */
async function voiceOf(
	{ networks, openAudio, threshold }: DiarizationParts,
	{ name, reference, param }: KnownVoice,
	signal: AbortSignal,
): Promise<NamedVoice | null> {
	const refuse = (what: string, cause?: unknown) =>
		new EarshotError('invalid_request', what, { cause, param });
	if ('voice' in reference) {
		if (reference.fingerprint !== networks.fingerprint && param === undefined) return null;
		if (reference.fingerprint !== networks.fingerprint)
			throw refuse(`The voice of \`${name}\` was enrolled with another model: enrol it again`);
		return { name, voice: Float32Array.from(reference.voice) };
	}
	const { min, max } = referenceSeconds;
	const wrongLength = (got: string) =>
		refuse(
			`Expected the reference of \`${name}\` to be between ${min} and ${max.toFixed(1)} seconds long, got ${got}`,
		);
	const reader = openAudio(reference);
	let found: Diarization;
	try {
		await reader.open();
		const bounded = boundedBy(reader, max + slackSeconds, () => wrongLength(`more than ${max} seconds`));
		found = await diarize(networks, bounded, { threshold, max: 1 }, signal);
	} catch (thrown) {
		if (!(thrown instanceof EarshotError) || thrown.param !== 'file') throw thrown;
		throw refuse(`The reference of \`${name}\` cannot be used: ${thrown.message}`, thrown);
	} finally {
		await reader.close();
	}
	if (found.duration < min - slackSeconds) throw wrongLength(`${found.duration.toFixed(2)} seconds`);
	const [voice] = found.voices;
	if (!voice) throw refuse(`The reference of \`${name}\` cannot be used: no speech was detected in it`);
	return { name, voice };
}

/** Throws as soon as more is read, so that a reference of hours is refused after some seconds of it. */
function boundedBy(reader: AudioReader, seconds: number, tooLong: () => EarshotError): AudioReader {
	let left = Math.ceil(seconds * sampleRate);
	return {
		open: () => reader.open(),
		read: async (into) => {
			const count = await reader.read(into);
			left -= count;
			if (left < 0) throw tooLong();
			return count;
		},
		get truncated() {
			return reader.truncated;
		},
		get channels() {
			return reader.channels;
		},
		close: () => reader.close(),
	};
}

function foundSpeakers(
	{ turns, voices }: Diarization,
	known: readonly NamedVoice[],
	fingerprint: string,
): FoundSpeakers {
	const names = matchedNames(voices, known);
	return {
		turns: turns.map(({ start, end, speaker }) => ({
			start: toMilliseconds(start),
			end: toMilliseconds(end),
			speaker,
		})),
		speakers: voices.map((voice, speaker) => ({
			name: names[speaker] ?? null,
			voice: voice && [...voice],
		})),
		fingerprint,
	};
}

/** Yields the latest progress whenever the consumer is ready; skips values in between. */
class Progress implements AsyncIterable<number> {
	#latest: number | undefined;
	#ended = false;
	#wake: (() => void) | undefined;

	at(seconds: number): void {
		this.#latest = seconds;
		this.#wake?.();
	}

	end(): void {
		this.#ended = true;
		this.#wake?.();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<number> {
		while (!this.#ended) {
			if (this.#latest === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
			const latest = this.#latest;
			this.#latest = undefined;
			if (latest !== undefined) yield latest;
		}
	}
}
