/** Tells who speaks each stretch, from what the voices are like. Pure. */

import { dot, groupsBy, type Merge, mergesOf, nearestFirst, unit } from './linkage.js';

/** A stretch in which one voice is heard without a break, or a part of one. Seconds of the recording. */
export interface Piece {
	readonly start: number;
	readonly end: number;
	/** Which voice it was in the windows around it; voices that meet later may be one. */
	readonly track: number;
	/** Seconds in which nobody else speaks. */
	readonly alone: number;
	/** Of length 1, of what is spoken alone; null where that is too short. */
	readonly voice: Float32Array | null;
}

export interface SpeakersOptions {
	/** Mean distance up to which two groups of stretches are one person; a property of the embedding network. */
	readonly threshold: number;
	/** At least and at most as many people, 1 or more; absent = as many as there are. */
	readonly least?: number | undefined;
	readonly most?: number | undefined;
}

export interface Speakers {
	/** The speaker of each piece, from 0; in no order. */
	readonly labels: readonly number[];
	/** What each speaker's voice is like, of length 1. */
	readonly centres: readonly Float32Array[];
}

/**
 * Longer stretches are cut. Short parts show where one voice gives way to another that the segmentation network takes for
 * it, and what is uncertain of each averages out in the clustering.
 */
export const longestPieceSeconds = 2;
/** Shorter stretches do not take part in the clustering: what a voice is like is known too badly. */
const clusteredSeconds = 1;
/** Who speaks less than this, or than this share of all speech, is taken for a part of another, or for noise. */
const leastSpeechSeconds = 3;
const leastSpeechShare = 0.15;
/**
 * Where more people are asked for than are heard, groups nearer than this share of the threshold are still one person:
 * nobody is made up to fill a number.
 */
const surelyOneShare = 0.6;
/**
 * Cosines of one person's stretches grow with their lengths: of stretches of n seconds by √(n / (n + this)), fitted to
 * pairs of 1.2 to 8 s of 15 people. Without that, stretches of different lengths would need different thresholds.
 */
const halfKnownSeconds = 0.9;
/** What it takes to believe that the voice changes within continuous speech, in seconds of a cosine. */
const changeCost = 0.2;
/** After a pause this long it costs nothing. */
const pauseSeconds = 0.5;
/** Between two breaths. */
const piecesAtOnce = 64;
/** Stretches that overlap by more are of two people. */
const overlapSeconds = 0.1;

/** `pieces`: sorted by start. `breathe`: see `mergesOf`. */
export async function speakersOf(
	pieces: readonly Piece[],
	options: SpeakersOptions,
	breathe: () => Promise<void>,
): Promise<Speakers> {
	const known = pieces.filter(({ voice }) => voice !== null);
	// Nothing is known of anybody's voice: what is heard is one person.
	if (known.length === 0) return { labels: pieces.map(() => 0), centres: [] };
	const long = known.filter(({ alone }) => alone >= clusteredSeconds);
	const clustered = long.length > 0 ? long : [known.reduce((a, b) => (b.alone > a.alone ? b : a))];
	const merges = await mergesOf(clustered.map(comparable), breathe);
	const secondsOf = (group: readonly number[]) =>
		group.reduce((sum, each) => sum + (clustered[each]?.alone ?? 0), 0);
	const groups = countedGroups(merges, secondsOf, options);
	let centres = groups.flatMap((group) => centreOf(group.flatMap((each) => clustered[each] ?? [])) ?? []);
	const first = await labelled(pieces, centres, breathe);
	centres = centres.map((centre, speaker) => {
		const own = pieces.filter((piece, at) => first[at] === speaker && piece.alone >= clusteredSeconds);
		return centreOf(own) ?? centre;
	});
	return { labels: await labelled(pieces, centres, breathe), centres };
}

/** The voice, lengthened so that products of one person's are about 1 whatever the lengths of the stretches. */
function comparable({ voice, alone }: Piece): Float32Array {
	const scale = Math.sqrt((alone + halfKnownSeconds) / alone);
	return (voice ?? new Float32Array(0)).map((value) => value * scale);
}

/** Groups of stretches that are people: as many as are asked for, as far as there are so many. */
function countedGroups(
	merges: readonly Merge[],
	secondsOf: (group: readonly number[]) => number,
	{ threshold, least = 1, most = Number.POSITIVE_INFINITY }: SpeakersOptions,
): number[][] {
	const total = secondsOf(Array.from({ length: merges.length + 1 }, (_, at) => at));
	const leastSeconds = Math.min(leastSpeechSeconds, leastSpeechShare * total);
	const order = nearestFirst(merges);
	const distanceOf = (rank: number): number =>
		merges[order[rank] ?? -1]?.distance ?? Number.POSITIVE_INFINITY;
	const counts = peopleCounts(merges, order, secondsOf, leastSeconds);
	const peopleAfter = (count: number): number => counts[count] ?? 0;
	const usual = order.filter((_, rank) => distanceOf(rank) <= threshold).length;
	let chosen = usual;
	while (peopleAfter(chosen) > most && chosen < order.length) chosen++;
	for (let count = usual; peopleAfter(chosen) < least && count > 0; count--) {
		if (distanceOf(count - 1) < surelyOneShare * threshold) break;
		const finer = peopleAfter(count - 1);
		if (finer > peopleAfter(chosen) && finer <= most) chosen = count - 1;
	}
	const groups = groupsBy(merges, new Set(order.slice(0, chosen)));
	const kept = groups.filter((group) => secondsOf(group) >= leastSeconds);
	// Nobody speaks for long: the one who speaks most is there all the same.
	return kept.length > 0
		? kept
		: [groups.reduce((one, other) => (secondsOf(other) > secondsOf(one) ? other : one))];
}

/** How many people speak for long enough after each number of merges, from none to all; one where nobody does. */
function peopleCounts(
	merges: readonly Merge[],
	order: readonly number[],
	secondsOf: (group: readonly number[]) => number,
	leastSeconds: number,
): number[] {
	const single = merges.length + 1;
	const seconds = Array.from({ length: single }, (_, at) => secondsOf([at]));
	const isLong = (cluster: number): number => ((seconds[cluster] ?? 0) >= leastSeconds ? 1 : 0);
	let people = seconds.filter((_, at) => isLong(at) === 1).length;
	const counts = [Math.max(people, 1)];
	for (const index of order) {
		const { a = 0, b = 0 } = merges[index] ?? {};
		seconds[single + index] = (seconds[a] ?? 0) + (seconds[b] ?? 0);
		people += isLong(single + index) - isLong(a) - isLong(b);
		counts.push(Math.max(people, 1));
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

/** The likeliest speakers of each track's pieces; those of pieces that overlap differ. */
async function labelled(
	pieces: readonly Piece[],
	centres: readonly Float32Array[],
	breathe: () => Promise<void>,
): Promise<number[]> {
	if (centres.length === 0) return pieces.map(() => 0);
	const scores: number[][] = [];
	for (const { voice, alone } of pieces) {
		if (scores.length % piecesAtOnce === 0) await breathe();
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

/** Viterbi's path through the pieces of a track. */
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
 * Of two pieces that overlap and have the same speaker, the one that is known worse is the next likeliest's. Where all
 * speak meanwhile, as at a change of speakers, it is that of the one who does for the shortest time.
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

/** Other tracks' pieces in the time of one, and for how long. */
function overlapping(pieces: readonly Piece[], at: number): { other: number; seconds: number }[] {
	const piece = pieces[at];
	if (piece === undefined) return [];
	const found: { other: number; seconds: number }[] = [];
	const check = (other: number): void => {
		const { start, end, track } = pieces[other] ?? piece;
		const seconds = Math.min(end, piece.end) - Math.max(start, piece.start);
		if (track !== piece.track && seconds > overlapSeconds) found.push({ other, seconds });
	};
	// None is longer than `longestPieceSeconds`, but for a frame.
	for (let other = at - 1; other >= 0; other--) {
		if ((pieces[other]?.start ?? 0) < piece.start - longestPieceSeconds - 1) break;
		check(other);
	}
	for (let other = at + 1; other < pieces.length; other++) {
		if ((pieces[other]?.start ?? 0) >= piece.end) break;
		check(other);
	}
	return found;
}
