/** Splits a complete recording into clips at once; `ClipSplitter` must give the same result incrementally. */

import type { Span } from '../../src/audio/speech-spans.js';
import type { SplitRules } from '../../src/audio/split.js';
import { levelFrameSeconds } from '../../src/core/speech/pcm.js';

export interface WholeRules extends SplitRules {
	/** Length of the recording. */
	readonly duration: number;
}

/** Mean level of each `levelFrameSeconds` of the recording; any monotonic measure will do. */
export type Levels = Float32Array;

/** A span too long for one clip is cut at the quietest place in this last share of the clip's maximum length. */
const cutWindowShare = 0.4;

/**
 * Turns speech spans (in order, not overlapping) into clip ranges: padded, merged across short gaps, none longer
 * than `maxClipSeconds`, in order, not overlapping, and covering every span.
 */
export function splitSpans(spans: readonly Span[], levels: Levels, rules: WholeRules): Span[] {
	return merged(padded(broken(spans, rules), rules), rules).flatMap((span) => cut(span, levels, rules));
}

/** A break this near to the end of a span is taken for that end. */
const edgeSeconds = 0.25;

interface Numbered extends Span {
	/** Breaks before it. */
	readonly breaks: number;
}

/** The spans, cut at breaks. */
function broken(spans: readonly Span[], { breaks = [] }: WholeRules): Numbered[] {
	const parts = spans.flatMap(({ start, end }) => {
		const own: Span[] = [];
		let from = start;
		for (const at of breaks) {
			if (at < from + edgeSeconds || at > end - edgeSeconds) continue;
			own.push({ start: from, end: at });
			from = at;
		}
		return [...own, { start: from, end }];
	});
	return parts.map((part) => ({
		...part,
		breaks: breaks.filter((at) => at <= (part.start + part.end) / 2).length,
	}));
}

/** Each span extended by the padding; where two would overlap, they meet halfway. */
function padded(spans: readonly Numbered[], { paddingSeconds, duration }: WholeRules): Numbered[] {
	return spans.map((span, index) => {
		const before = spans[index - 1];
		const after = spans[index + 1];
		const earliest = before ? (before.end + span.start) / 2 : 0;
		const latest = after ? (span.end + after.start) / 2 : duration;
		return {
			breaks: span.breaks,
			start: Math.max(span.start - paddingSeconds, earliest, 0),
			end: Math.min(span.end + paddingSeconds, latest, duration),
		};
	});
}

function merged(spans: readonly Numbered[], { mergeGapSeconds, maxClipSeconds }: WholeRules): Span[] {
	const clips: Numbered[] = [];
	for (const span of spans) {
		const last = clips.at(-1);
		const isNear = last?.breaks === span.breaks && span.start - last.end <= mergeGapSeconds;
		if (isNear && span.end - last.start <= maxClipSeconds) {
			clips[clips.length - 1] = { ...last, end: span.end };
		} else {
			clips.push(span);
		}
	}
	return clips;
}

function cut(span: Span, levels: Levels, rules: WholeRules): Span[] {
	const pieces: Span[] = [];
	let start = span.start;
	while (span.end - start > rules.maxClipSeconds) {
		const latest = start + rules.maxClipSeconds;
		const at = quietest(levels, latest - rules.maxClipSeconds * cutWindowShare, latest);
		pieces.push({ start, end: at });
		start = at;
	}
	pieces.push({ start, end: span.end });
	return pieces;
}

/** The quietest moment after `from` and not after `to`; the latest of equals, since longer clips carry more context. */
function quietest(levels: Levels, from: number, to: number): number {
	const first = Math.ceil(from / levelFrameSeconds);
	const last = Math.floor(to / levelFrameSeconds) - 1;
	let best = -1;
	for (let frame = first; frame <= last; frame++) {
		const level = levels[frame];
		if (level === undefined) break;
		if (best === -1 || level <= (levels[best] ?? 0)) best = frame;
	}
	return best === -1 ? to : (best + 0.5) * levelFrameSeconds;
}
