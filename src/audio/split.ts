/** Where a recording is cut into clips, as it comes in. Pure: what was heard goes in, final ranges come out. */

import { levelFrameSeconds } from '../speech/pcm.js';

/** A stretch of the recording, seconds. */
export interface Span {
	readonly start: number;
	readonly end: number;
}

/** What the search for speech has come to know. Times are seconds of the recording. */
export interface VadSegments {
	/** Stretches of speech that have ended since it was last told, in order, not overlapping. */
	readonly spans: readonly Span[];
	/** Where the stretch began that still goes on. */
	readonly openSince: number | null;
	/** The open stretch ends after this; where there is none, the next one does not start before it. */
	readonly settled: number;
}

export interface SplitRules {
	readonly maxClipSeconds: number;
	/** Spans nearer to each other than this go into one clip while it fits. */
	readonly mergeGapSeconds: number;
	/** Kept before and after the speech of a clip. */
	readonly paddingSeconds: number;
}

/**
 * Level of a frame of `levelFrameSeconds`, counted from the start of the recording; any monotonic measure will
 * do. Asked only for frames that were settled and are not before `needed`.
 */
export type LevelOf = (frame: number) => number;

/** A span too long for one clip is cut at the quietest place of its last part, this share of the clip's length. */
const cutWindowShare = 0.4;

/** Far more than the rounding of the sums below. */
const slackSeconds = 0.001;

/** The last stretch of speech, of which not everything is known. */
interface Latest {
	/** Padded. */
	readonly start: number;
	/** As heard; null while it goes on. */
	readonly end: number | null;
}

/**
 * Speech spans (in order, not overlapping) to clip ranges: padded, merged across short gaps, none longer
 * than `maxClipSeconds`, in order, not overlapping, and covering every span. A range comes out as soon as nothing
 * that may follow can change it, and depends on the recording alone, not on the pieces it was told in.
 */
export class ClipSplitter {
	readonly #rules: SplitRules;
	readonly #levelOf: LevelOf;
	readonly #ready: Span[] = [];
	/** What the next spans may still be merged into. */
	#clip: Span | undefined;
	#latest: Latest | undefined;
	/** Of the latest span, what is cut off already ends here. */
	#cutUntil: number | undefined;
	#settled = 0;

	constructor(rules: SplitRules, levelOf: LevelOf) {
		this.#rules = rules;
		this.#levelOf = levelOf;
	}

	/** Nothing before this will be asked for any more, neither as part of a clip nor for its level. */
	get needed(): number {
		const next = Math.max(0, this.#settled - this.#rules.paddingSeconds);
		return Math.min(this.#clip?.start ?? next, this.#cutUntil ?? this.#latest?.start ?? next);
	}

	/** The ranges that are final now. */
	hear({ spans, openSince, settled }: VadSegments): Span[] {
		for (const { start, end } of spans) this.#begin(start, end);
		if (openSince !== null) this.#begin(openSince, null);
		this.#settled = settled;
		this.#settle();
		return this.#ready.splice(0);
	}

	/** The ranges that are left, once the recording is known to end. */
	finish(duration: number): Span[] {
		if (this.#latest) {
			const end = this.#latest.end ?? duration;
			this.#complete(this.#latest, Math.min(end + this.#rules.paddingSeconds, duration));
		}
		this.#release();
		return this.#ready.splice(0);
	}

	/** A span as far as it is known: a new one, or more of the one that was open. */
	#begin(start: number, end: number | null): void {
		const { paddingSeconds } = this.#rules;
		const before = this.#latest;
		if (before?.end === null) {
			this.#latest = { start: before.start, end };
			return;
		}
		let earliest = 0;
		if (before) {
			// Where the padding of two would overlap they meet halfway.
			earliest = (before.end + start) / 2;
			this.#complete(before, Math.min(before.end + paddingSeconds, earliest));
		}
		this.#latest = { start: Math.max(start - paddingSeconds, earliest), end };
	}

	/** Nothing more will be known of the latest span, which ends here with its padding. */
	#complete({ start }: Latest, end: number): void {
		const { mergeGapSeconds, maxClipSeconds } = this.#rules;
		const from = this.#cutUntil;
		const into = this.#clip;
		this.#latest = undefined;
		this.#cutUntil = undefined;
		if (from !== undefined) {
			this.#ready.push({ start: this.#cut(from, end), end });
		} else if (into && start - into.end <= mergeGapSeconds && end - into.start <= maxClipSeconds) {
			this.#clip = { start: into.start, end };
		} else {
			this.#release();
			this.#clip = { start, end };
		}
	}

	/** Draws every conclusion that what follows cannot change. */
	#settle(): void {
		const { paddingSeconds, mergeGapSeconds, maxClipSeconds } = this.#rules;
		const { end } = this.#latest ?? {};
		if (this.#latest && typeof end === 'number' && this.#settled > end + 2 * paddingSeconds + slackSeconds) {
			this.#complete(this.#latest, end + paddingSeconds);
		}
		const latest = this.#latest;
		const start = latest?.start ?? this.#settled - paddingSeconds;
		const reach = Math.max(start, latest?.end ?? (latest ? this.#settled : start));
		const clip = this.#clip;
		if (clip && (start - clip.end > mergeGapSeconds || reach - clip.start > maxClipSeconds)) this.#release();
		if (!latest || this.#clip) return;
		const from = this.#cutUntil ?? latest.start;
		const until = this.#cut(from, reach);
		if (until > from) this.#cutUntil = until;
	}

	#release(): void {
		const clip = this.#clip;
		this.#clip = undefined;
		if (clip) this.#ready.push({ start: this.#cut(clip.start, clip.end), end: clip.end });
	}

	/** Cuts off clips while what begins at `from` and reaches to `reach` is too long for one; where the rest begins. */
	#cut(from: number, reach: number): number {
		const { maxClipSeconds } = this.#rules;
		let start = from;
		while (reach - start > maxClipSeconds) {
			const latest = start + maxClipSeconds;
			const at = this.#quietest(latest - maxClipSeconds * cutWindowShare, latest);
			this.#ready.push({ start, end: at });
			start = at;
		}
		return start;
	}

	/** The quietest moment after `from` and not after `to`; the later one of equals, since longer clips carry more context. */
	#quietest(from: number, to: number): number {
		let best = to;
		let lowest = Number.POSITIVE_INFINITY;
		const last = Math.floor(to / levelFrameSeconds) - 1;
		for (let frame = Math.ceil(from / levelFrameSeconds); frame <= last; frame++) {
			const level = this.#levelOf(frame);
			if (level > lowest) continue;
			lowest = level;
			best = (frame + 0.5) * levelFrameSeconds;
		}
		return best;
	}
}
