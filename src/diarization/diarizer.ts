/**
 * Finds who speaks when in a recording while it is read: windows of the segmentation network → stretches of one voice →
 * an embedding for each → clustering into speakers. Memory: a few windows of audio, and about a kilobyte for each
 * stretch.
 */

import { setImmediate } from 'node:timers/promises';
import type { AudioReader } from '../audio/decode.js';
import { SampleWindow } from '../audio/sample-window.js';
import { throwIfCancelled } from '../core/abort.js';
import { sampleRate } from '../core/speech/pcm.js';
import { type ActiveStretch, Activity, voiceChances } from './activity.js';
import { unit } from './linkage.js';
import type { SpeakerNetworks } from './networks.js';
import { maxPieceSeconds, type Piece, type SpeakersOptions, speakersOf } from './speakers.js';

/** One speaker's turn. Seconds of the recording. */
export interface Turn {
	readonly start: number;
	readonly end: number;
	/** From 0, in order of appearance. */
	readonly speaker: number;
}

export interface Diarization {
	/** By start; turns of different speakers may overlap. */
	readonly turns: readonly Turn[];
	/** Each speaker's voice embedding, of length 1; null if the speaker said too little. */
	readonly voices: readonly (Float32Array | null)[];
	/** Seconds of the recording. */
	readonly duration: number;
	/** Whether the file is cut off before the end of its recording. */
	readonly truncated: boolean;
}

export interface DiarizeHooks {
	/** Called before each window, with its index, and after it, with the seconds processed so far. */
	readonly onWindow?: (index: number) => void;
	readonly onProcessed?: (index: number, seconds: number) => void;
}

/** Approximate step between windows: rounded to whole frames, so that the frames of all windows coincide. */
const stepSeconds = 1;
/** A shorter stretch is too short for an embedding. */
const minVoiceSeconds = 0.2;
/** One speaker's stretches with a shorter pause between them are one turn. */
const joinSeconds = 0.5;
/** Shorter turns are clicks and breaths. */
const minTurnSeconds = 0.2;
/** By so much, two frames, the network ends a voice early: the last sound of a word fades. */
const fadeSeconds = 0.034;

/** `reader`: opened. Throws EarshotError, `cancelled` when the signal is aborted. */
export async function diarize(
	networks: SpeakerNetworks,
	reader: AudioReader,
	options: SpeakersOptions,
	signal: AbortSignal,
	hooks: DiarizeHooks = {},
): Promise<Diarization> {
	const listening = new Listening(networks, reader, signal);
	while (!listening.ended) {
		throwIfCancelled(signal);
		const { index } = listening;
		hooks.onWindow?.(index);
		try {
			await listening.next();
		} finally {
			hooks.onProcessed?.(index, listening.seconds);
		}
	}
	const pieces = listening.pieces.toSorted((a, b) => a.start - b.start || a.end - b.end);
	const duration = listening.seconds;
	const yieldNow = async () => {
		await setImmediate();
		throwIfCancelled(signal);
	};
	const { labels, centres } = await speakersOf(pieces, options, yieldNow);
	return { ...renumbered(joined(pieces, labels), centres, duration), duration, truncated: reader.truncated };
}

/** Finds the stretches of voices in a recording, window by window. */
class Listening {
	readonly pieces: Piece[] = [];
	index = 0;
	ended = false;
	readonly #networks: SpeakerNetworks;
	readonly #reader: AudioReader;
	readonly #signal: AbortSignal;
	readonly #window = new SampleWindow(sampleRate);
	readonly #activity: Activity;
	readonly #stepFrames: number;

	constructor(networks: SpeakerNetworks, reader: AudioReader, signal: AbortSignal) {
		const { shape } = networks;
		this.#networks = networks;
		this.#reader = reader;
		this.#signal = signal;
		this.#stepFrames = Math.max(1, Math.round((stepSeconds * sampleRate) / shape.shift));
		const longest = Math.floor((maxPieceSeconds * sampleRate) / shape.shift);
		this.#activity = new Activity(shape.frames, longest);
	}

	/** Seconds decoded so far. */
	get seconds(): number {
		return this.#window.end / sampleRate;
	}

	/** Processes the next window. */
	async next(): Promise<void> {
		const { shape } = this.#networks;
		const start = this.index * this.#stepFrames * shape.shift;
		const isLast = await this.#readUpTo(start + shape.window);
		const samples = new Float32Array(shape.window);
		samples.set(this.#window.view(start, Math.min(start + shape.window, this.#window.end)));
		const scores = await this.#networks.segment(samples, this.#signal);
		const nextStart = (this.index + 1) * this.#stepFrames;
		const found = this.#activity.push(
			voiceChances(scores),
			isLast ? this.index * this.#stepFrames : nextStart,
		);
		if (isLast) found.push(...this.#activity.finish(this.#frameAt(this.#window.end)));
		for (const stretch of found) this.pieces.push(await this.#pieceOf(stretch));
		const needed = Math.min(this.#sampleAt(this.#activity.needed), nextStart * shape.shift);
		this.#window.forget(needed);
		this.index++;
		this.ended = isLast;
	}

	/** Reads up to sample `end`; returns whether the recording ends there or before. */
	async #readUpTo(end: number): Promise<boolean> {
		while (this.#window.end < end) {
			const room = this.#window.room(end - this.#window.end);
			const count = await this.#reader.read(room);
			// A sample that is not finite would spoil everything near it.
			for (let at = 0; at < count; at++) if (!Number.isFinite(room[at])) room[at] = 0;
			this.#window.grow(count);
			if (count < room.length) return true;
		}
		return false;
	}

	async #pieceOf({ track, from, to, alone }: ActiveStretch): Promise<Piece> {
		const spans = alone.map(([first, last]) => [this.#sampleAt(first), this.#sampleAt(last)] as const);
		const count = spans.reduce((sum, [first, last]) => sum + last - first, 0);
		const samples = new Float32Array(count);
		let at = 0;
		for (const [first, last] of spans) {
			samples.set(this.#window.view(first, last), at);
			at += last - first;
		}
		const isKnown = count >= minVoiceSeconds * sampleRate;
		return {
			start: this.#sampleAt(from) / sampleRate,
			end: this.#sampleAt(to) / sampleRate,
			track,
			alone: count / sampleRate,
			voice: isKnown ? unit(await this.#networks.embed(samples, this.#signal)) : null,
		};
	}

	/** The first sample of the middle part of a frame's receptive field, which belongs to no other frame; within the
	 * recording. */
	#sampleAt(frame: number): number {
		const { shift, field } = this.#networks.shape;
		return Math.min(Math.round(frame * shift + (field - shift) / 2), this.#window.end);
	}

	/** The number of frames whose middle is before `sample`. */
	#frameAt(sample: number): number {
		const { shift, field } = this.#networks.shape;
		return Math.max(0, Math.ceil((sample - field / 2) / shift));
	}
}

/** Joins nearby stretches of the same speaker into turns, in no particular order. */
function joined(pieces: readonly Piece[], labels: readonly number[]): Turn[] {
	const last = new Map<number, { start: number; end: number; speaker: number }>();
	const turns: { start: number; end: number; speaker: number }[] = [];
	pieces.forEach(({ start, end }, at) => {
		const speaker = labels[at] ?? 0;
		const before = last.get(speaker);
		if (before && start - before.end < joinSeconds) {
			before.end = Math.max(before.end, end);
			return;
		}
		const turn = { start, end, speaker };
		last.set(speaker, turn);
		turns.push(turn);
	});
	return turns
		.filter(({ start, end }) => end - start >= minTurnSeconds)
		.map((turn) => ({ ...turn, end: turn.end + fadeSeconds }));
}

/** Numbers the speakers by first appearance. */
function renumbered(
	turns: readonly Turn[],
	centres: readonly Float32Array[],
	duration: number,
): Pick<Diarization, 'turns' | 'voices'> {
	const numbers = new Map<number, number>();
	const sorted = turns.toSorted((a, b) => a.start - b.start || a.end - b.end);
	const numbered = sorted.map(({ start, end, speaker }) => {
		if (!numbers.has(speaker)) numbers.set(speaker, numbers.size);
		return { start, end: Math.min(end, duration), speaker: numbers.get(speaker) ?? 0 };
	});
	return { turns: numbered, voices: [...numbers.keys()].map((speaker) => centres[speaker] ?? null) };
}
