/** Joins the events of a recording into its transcript. */

import type { CutEvent, PipelineEvent, PlacedSegment } from './events.js';
import type { FoundSpeakers } from './speakers.js';
import { startsCapital, stopsFalsely } from './text.js';
import type { Timing } from './timing.js';
import type { Checkpoints } from './transcriber.js';
import {
	type Segment,
	type Task,
	type TranscriptEvent,
	textOfAll,
	type Untranscribed,
	type Warning,
} from './transcript.js';
import { removedRepetition, truncatedAudio } from './warnings.js';

/** Numbers the segments and adds the finished transcript. */
export async function* finished(
	events: AsyncIterable<PipelineEvent>,
	about: { readonly model: string; readonly task: Task; readonly language: string | null },
): AsyncGenerator<TranscriptEvent> {
	const segments: Segment[] = [];
	const waiting = new WaitingSegments();
	const ends = new ClipEnds();
	const warnings: Warning[] = [];
	const untranscribed: Untranscribed[] = [];
	const votes = new Map<string, number>();
	let duration = 0;
	let timing: Timing | undefined;
	let found: FoundSpeakers | undefined;
	const number = (placed: readonly PlacedSegment[]): Segment[] => {
		const numbered = placed.map((segment, index) => ({ id: segments.length + index, ...segment }));
		segments.push(...numbered);
		return numbered;
	};
	for await (const event of events) {
		if (event.type === 'started') {
			yield event;
			continue;
		}
		if (event.type === 'speakers') {
			({ found } = event);
			continue;
		}
		if (event.type === 'progress') {
			yield { type: 'segments', segments: [], language: null, processed: event.processed };
			continue;
		}
		// A group of a cut recording has no text.
		if (event.type === 'group') continue;
		if (event.type === 'ended') {
			({ duration, timing } = event);
			if (event.truncated) warnings.push(truncatedAudio(duration));
			continue;
		}
		warnings.push(...(event.removedRepetitions ?? []).map(removedRepetition));
		untranscribed.push(...(event.untranscribed ?? []));
		if (event.language !== null && event.segments.length > 0) {
			const seconds = event.segments.reduce((sum, { start, end }) => sum + end - start, 0);
			votes.set(event.language, (votes.get(event.language) ?? 0) + seconds);
		}
		const ready = number(ends.add(waiting.add(event.segments, event.start), event.processed));
		yield { type: 'segments', segments: ready, language: event.language, processed: event.processed };
	}
	const rest = number([...ends.add(waiting.rest(), duration), ...ends.rest()]);
	if (rest.length > 0) yield { type: 'segments', segments: rest, language: null, processed: duration };
	// The language spoken longest; a recording may contain several.
	const [detected] = [...votes].sort(([, a], [, b]) => b - a)[0] ?? [null];
	yield {
		type: 'done',
		...(timing && { timing }),
		...(found && { found }),
		transcript: {
			task: about.task,
			model: about.model,
			language: about.language ?? detected,
			duration,
			text: textOfAll(segments),
			segments,
			...(warnings.length > 0 && { warnings }),
			...(untranscribed.length > 0 && { untranscribed: joined(untranscribed) }),
		},
	};
}

/** The events of a recording that is only cut into groups. */
export async function* cutEvents(events: AsyncIterable<PipelineEvent>): AsyncGenerator<CutEvent> {
	for await (const event of events)
		if (event.type === 'started' || event.type === 'group' || event.type === 'ended') yield event;
}

/** The events of the whole recording: finished clips from a checkpoint, then the events of the rest. */
export async function* resumed(
	rest: AsyncIterable<PipelineEvent>,
	{ done, onClip }: Checkpoints,
): AsyncGenerator<PipelineEvent> {
	for await (const event of rest) {
		if (event.type === 'clip') onClip(event);
		yield event;
		if (event.type === 'started') yield* done;
	}
}

/** Clips cut from one stretch of speech are at most this far apart. */
const touchSeconds = 0.05;

/** Joins adjacent stretches of each channel. */
function joined(stretches: readonly Untranscribed[]): Untranscribed[] {
	const all: Untranscribed[] = [];
	for (const stretch of stretches) {
		const at = all.findLastIndex(({ channel }) => channel === stretch.channel);
		const before = all[at];
		if (before && stretch.start - before.end <= touchSeconds) all[at] = { ...before, end: stretch.end };
		else all.push(stretch);
	}
	return all.sort((a, b) => a.start - b.start);
}

/** Puts the segments of channels transcribed in parallel in order: holds each until no earlier one can come. */
class WaitingSegments {
	#held: PlacedSegment[] = [];

	/** Returns the segments that are ready, in order of time. `start`: no later segment starts before it. */
	add(segments: readonly PlacedSegment[], start: number): readonly PlacedSegment[] {
		// Without channels clips do not overlap, and their segments are in order.
		if (segments.every(({ channel }) => channel === undefined) && this.#held.length === 0) return segments;
		this.#held.push(...segments);
		this.#held.sort((a, b) => a.start - b.start || (a.channel ?? 0) - (b.channel ?? 0));
		const count = this.#held.findIndex((segment) => segment.start > start);
		return this.#held.splice(0, count === -1 ? this.#held.length : count);
	}

	rest(): readonly PlacedSegment[] {
		return this.#held;
	}
}

/** A sentence counts as continued in the next clip only if the pause is shorter than this. */
const sentencePauseSeconds = 0.5;

/**
 * Long speech is cut into clips, often inside a sentence, and models write a full stop at the end of a clip. It is
 * removed if the next clip continues the sentence, so the last segment of a clip is held until the next clip.
 */
class ClipEnds {
	#held: PlacedSegment | undefined;
	/** Some models write no capitals; then a small letter does not show that a sentence continues. */
	#hasCapitals = false;

	/** Returns the segments that are ready, in order. `processed`: no later segment starts before it, seconds of the
	 * recording. */
	add(segments: readonly PlacedSegment[], processed: number): readonly PlacedSegment[] {
		const all = this.#held ? [this.#held, ...segments] : segments;
		const ready = all.map((segment, index) => {
			const next = all[index + 1];
			this.#hasCapitals ||= startsCapital(segment.text);
			const isStopped = next && isFollowedBy(segment, next) && stopsFalsely(segment.text, next.text);
			return this.#hasCapitals && isStopped ? unstopped(segment) : segment;
		});
		const last = ready.at(-1);
		this.#held = last?.text.endsWith('.') && processed <= last.end + sentencePauseSeconds ? last : undefined;
		return this.#held ? ready.slice(0, -1) : ready;
	}

	rest(): readonly PlacedSegment[] {
		return this.#held ? [this.#held] : [];
	}
}

/** Whether `next` comes from another decode window and starts where `segment` ends. */
function isFollowedBy(segment: PlacedSegment, next: PlacedSegment): boolean {
	return (
		next.seek !== segment.seek &&
		next.channel === segment.channel &&
		next.start - segment.end <= sentencePauseSeconds
	);
}

/** The segment without its full stop; `tokens` and values computed from them stay as the model wrote them. */
function unstopped(segment: PlacedSegment): PlacedSegment {
	const { words, logprobs, text } = segment;
	const last = words?.at(-1);
	return {
		...segment,
		text: text.slice(0, -1),
		...(words &&
			last?.word.endsWith('.') && { words: words.with(-1, { ...last, word: last.word.slice(0, -1) }) }),
		...(logprobs?.at(-1)?.token === '.' && { logprobs: logprobs.slice(0, -1) }),
	};
}
