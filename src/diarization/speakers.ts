/** Assigns a speaker to each stretch of speech by clustering the voice embeddings. Pure. */

import { dot, groupsBy, type Merge, mergesOf, nearestFirst, unit } from './linkage.js';

/** A stretch in which one voice speaks without a break, or a part of one. Seconds of the recording. */
export interface Piece {
	readonly start: number;
	readonly end: number;
	/** The track that the stretch comes from; several tracks may be one speaker. */
	readonly track: number;
	/** Seconds in which no other voice speaks. */
	readonly alone: number;
	/** Voice embedding of the parts without other voices, of length 1; null if these are too short. */
	readonly voice: Float32Array | null;
}

export interface SpeakersOptions {
	/** Mean distance up to which two groups of stretches are the same speaker; a property of the embedding network. */
	readonly threshold: number;
	/** Minimum and maximum number of speakers, 1 or more; absent = detected. */
	readonly min?: number | undefined;
	readonly max?: number | undefined;
}

export interface Speakers {
	/** The speaker of each piece, from 0, in no particular order. */
	readonly labels: readonly number[];
	/** Each speaker's voice embedding, of length 1. */
	readonly centres: readonly Float32Array[];
}

/**
 * Longer stretches are cut. Short parts show a change of speaker that the segmentation network missed, and the
 * uncertainty of each averages out in the clustering.
 */
export const maxPieceSeconds = 2;
/** Shorter stretches do not take part in the clustering, since their embeddings are too uncertain. */
const clusteredSeconds = 1;
/** A group that speaks less than this, or less than this share of all speech, counts as part of another speaker or as
 * noise. */
const minSpeechSeconds = 3;
const minSpeechShare = 0.15;
/**
 * If more speakers are requested than were found, groups closer than this share of the threshold remain one speaker, so
 * that no speaker is invented to reach the number.
 */
const oneSpeakerShare = 0.6;
/**
 * The cosine of two stretches of the same speaker grows with their lengths: for stretches of n seconds by √(n / (n +
 * this)), fitted to pairs of 1.2 to 8 s of 15 people. Without that, stretches of different lengths would need different
 * thresholds.
 */
const halfKnownSeconds = 0.9;
/** Penalty of a change of speaker within continuous speech, in seconds × cosine. */
const changeCost = 0.2;
/** After a pause this long a change of speaker has no penalty. */
const pauseSeconds = 0.5;
/** Pieces between two calls of `yieldNow`. */
const piecesAtOnce = 64;
/** Stretches that overlap by more belong to different speakers. */
const overlapSeconds = 0.1;

/** `pieces`: sorted by start. `yieldNow`: see `mergesOf`. */
export async function speakersOf(
	pieces: readonly Piece[],
	options: SpeakersOptions,
	yieldNow: () => Promise<void>,
): Promise<Speakers> {
	const known = pieces.filter(({ voice }) => voice !== null);
	// Without any embedding all speech counts as one speaker.
	if (known.length === 0) return { labels: pieces.map(() => 0), centres: [] };
	const long = known.filter(({ alone }) => alone >= clusteredSeconds);
	const clustered = long.length > 0 ? long : [known.reduce((a, b) => (b.alone > a.alone ? b : a))];
	const merges = await mergesOf(clustered.map(comparable), yieldNow);
	const secondsOf = (group: readonly number[]) =>
		group.reduce((sum, each) => sum + (clustered[each]?.alone ?? 0), 0);
	const groups = countedGroups(merges, secondsOf, options);
	let centres = groups.flatMap((group) => centreOf(group.flatMap((each) => clustered[each] ?? [])) ?? []);
	const first = await labelled(pieces, centres, yieldNow);
	centres = centres.map((centre, speaker) => {
		const own = pieces.filter((piece, at) => first[at] === speaker && piece.alone >= clusteredSeconds);
		return centreOf(own) ?? centre;
	});
	return { labels: await labelled(pieces, centres, yieldNow), centres };
}

/** The embedding scaled so that the dot product of two stretches of one speaker is about 1, whatever their lengths. */
function comparable({ voice, alone }: Piece): Float32Array {
	const scale = Math.sqrt((alone + halfKnownSeconds) / alone);
	return (voice ?? new Float32Array(0)).map((value) => value * scale);
}

/** The groups of stretches that are speakers: the requested number, as far as that many can be distinguished. */
function countedGroups(
	merges: readonly Merge[],
	secondsOf: (group: readonly number[]) => number,
	{ threshold, min = 1, max = Number.POSITIVE_INFINITY }: SpeakersOptions,
): number[][] {
	const total = secondsOf(Array.from({ length: merges.length + 1 }, (_, at) => at));
	const minSeconds = Math.min(minSpeechSeconds, minSpeechShare * total);
	const order = nearestFirst(merges);
	const distanceOf = (rank: number): number =>
		merges[order[rank] ?? -1]?.distance ?? Number.POSITIVE_INFINITY;
	const counts = speakerCounts(merges, order, secondsOf, minSeconds);
	const clustersAfter = (count: number): number => counts[count] ?? 0;
	const usual = order.filter((_, rank) => distanceOf(rank) <= threshold).length;
	let chosen = usual;
	while (clustersAfter(chosen) > max && chosen < order.length) chosen++;
	for (let count = usual; clustersAfter(chosen) < min && count > 0; count--) {
		if (distanceOf(count - 1) < oneSpeakerShare * threshold) break;
		const finer = clustersAfter(count - 1);
		if (finer > clustersAfter(chosen) && finer <= max) chosen = count - 1;
	}
	const groups = groupsBy(merges, new Set(order.slice(0, chosen)));
	const kept = groups.filter((group) => secondsOf(group) >= minSeconds);
	// If no group speaks for long enough, the one that speaks most is still a speaker.
	return kept.length > 0
		? kept
		: [groups.reduce((one, other) => (secondsOf(other) > secondsOf(one) ? other : one))];
}

/** How many groups speak for long enough after each number of merges, from none to all; 1 if none does. */
function speakerCounts(
	merges: readonly Merge[],
	order: readonly number[],
	secondsOf: (group: readonly number[]) => number,
	minSeconds: number,
): number[] {
	const single = merges.length + 1;
	const seconds = Array.from({ length: single }, (_, at) => secondsOf([at]));
	const isLong = (cluster: number): number => ((seconds[cluster] ?? 0) >= minSeconds ? 1 : 0);
	let speakerCount = seconds.filter((_, at) => isLong(at) === 1).length;
	const counts = [Math.max(speakerCount, 1)];
	for (const index of order) {
		const { a = 0, b = 0 } = merges[index] ?? {};
		seconds[single + index] = (seconds[a] ?? 0) + (seconds[b] ?? 0);
		speakerCount += isLong(single + index) - isLong(a) - isLong(b);
		counts.push(Math.max(speakerCount, 1));
	}
	return counts;
}

function centreOf(pieces: readonly Piece[]): Float32Array | null {
	const sum = new Float64Array(pieces.find(({ voice }) => voice)?.voice?.length ?? 0);
	for (const { voice, alone } of pieces) {
		voice?.forEach((value, at) => {
			sum[at] = (sum[at] ?? 0) + alone * value;
		});
	}
	return unit(sum);
}

/** The likeliest speaker of each piece, track by track; overlapping pieces get different speakers. */
async function labelled(
	pieces: readonly Piece[],
	centres: readonly Float32Array[],
	yieldNow: () => Promise<void>,
): Promise<number[]> {
	if (centres.length === 0) return pieces.map(() => 0);
	const scores: number[][] = [];
	for (const { voice, alone } of pieces) {
		if (scores.length % piecesAtOnce === 0) await yieldNow();
		scores.push(centres.map((centre) => (voice ? alone * dot(voice, centre) : 0)));
	}
	const tracks = new Map<number, number[]>();
	pieces.forEach(({ track }, at) => {
		const own = tracks.get(track);
		if (own) own.push(at);
		else tracks.set(track, [at]);
	});
	const labels = pieces.map(() => 0);
	for (const own of tracks.values()) {
		likeliestPath(own, pieces, scores).forEach((speaker, index) => {
			labels[own[index] ?? 0] = speaker;
		});
	}
	return centres.length > 1 ? apart(pieces, labels, scores) : labels;
}

/** The Viterbi path through the pieces of a track. */
function likeliestPath(
	own: readonly number[],
	pieces: readonly Piece[],
	scores: readonly (readonly number[])[],
): number[] {
	let totals: number[] = [];
	const origins: number[][] = [];
	own.forEach((at, index) => {
		const before = pieces[own[index - 1] ?? -1];
		const pause = before ? Math.max((pieces[at]?.start ?? 0) - before.end, 0) : pauseSeconds;
		const cost = changeCost * Math.max(0, 1 - pause / pauseSeconds);
		const best = totals.length === 0 ? 0 : totals.indexOf(Math.max(...totals));
		const from = (scores[at] ?? []).map((_, speaker) =>
			(totals[speaker] ?? 0) >= (totals[best] ?? 0) - cost ? speaker : best,
		);
		totals = (scores[at] ?? []).map((score, speaker) => {
			const origin = from[speaker] ?? 0;
			return (totals[origin] ?? 0) - (origin === speaker ? 0 : cost) + score;
		});
		origins.push(from);
	});
	const path: number[] = [];
	let speaker = totals.indexOf(Math.max(...totals));
	for (let index = own.length - 1; index >= 0; index--) {
		path[index] = speaker;
		speaker = origins[index]?.[speaker] ?? 0;
	}
	return path;
}

/**
 * If two overlapping pieces have the same speaker, the less certain one gets its next likeliest speaker. If all speakers
 * overlap it, as at a change of speakers, it gets the one that overlaps least.
 */
function apart(
	pieces: readonly Piece[],
	labels: readonly number[],
	scores: readonly (readonly number[])[],
): number[] {
	const result = [...labels];
	const order = pieces.map((_, at) => at).sort((a, b) => (pieces[b]?.alone ?? 0) - (pieces[a]?.alone ?? 0));
	const settled = new Set<number>();
	for (const at of order) {
		const own = scores[at] ?? [];
		const shared = own.map(() => 0);
		for (const { other, seconds } of overlapping(pieces, at)) {
			const speaker = result[other] ?? 0;
			if (settled.has(other)) shared[speaker] = (shared[speaker] ?? 0) + seconds;
		}
		settled.add(at);
		const least = Math.min(...shared);
		if ((shared[result[at] ?? 0] ?? 0) === least) continue;
		const free = own.map((score, speaker) => (shared[speaker] === least ? score : -Infinity));
		result[at] = free.indexOf(Math.max(...free));
	}
	return result;
}

/** The pieces of other tracks that overlap the piece at `at`, and for how long. */
function overlapping(pieces: readonly Piece[], at: number): { other: number; seconds: number }[] {
	const piece = pieces[at];
	if (piece === undefined) return [];
	const found: { other: number; seconds: number }[] = [];
	const check = (other: number): void => {
		const { start, end, track } = pieces[other] ?? piece;
		const seconds = Math.min(end, piece.end) - Math.max(start, piece.start);
		if (track !== piece.track && seconds > overlapSeconds) found.push({ other, seconds });
	};
	// No piece is longer than `maxPieceSeconds` plus a frame.
	for (let other = at - 1; other >= 0; other--) {
		if ((pieces[other]?.start ?? 0) < piece.start - maxPieceSeconds - 1) break;
		check(other);
	}
	for (let other = at + 1; other < pieces.length; other++) {
		if ((pieces[other]?.start ?? 0) >= piece.end) break;
		check(other);
	}
	return found;
}
