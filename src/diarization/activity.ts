/**
 * Joins the segmentation network's results for overlapping windows: which voices are active in which frames. Each
 * window numbers its voices by itself; a track is one voice through overlapping windows, and ends when it is inactive
 * for the length of a window. Clustering decides which speaker a track is, and whether it is one speaker. Pure.
 */

/** Voices that the network distinguishes in a window. */
export const voicesInWindow = 3;

/** The voices of each class of a frame (pyannote's powerset of 3 voices, at most 2 at once). */
const voicesOfClass: readonly (readonly number[])[] = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]];

export const frameClasses = voicesOfClass.length;

/** Probability of each voice in each frame, `voicesInWindow` for a frame. `scores`: natural logarithms, by class. */
export function voiceChances(scores: Float32Array): Float32Array {
	const count = Math.floor(scores.length / frameClasses);
	const probabilities = new Float32Array(count * voicesInWindow);
	for (let frame = 0; frame < count; frame++) {
		voicesOfClass.forEach((voices, index) => {
			const probability = Math.exp(scores[frame * frameClasses + index] ?? 0);
			for (const voice of voices) {
				const at = frame * voicesInWindow + voice;
				probabilities[at] = (probabilities[at] ?? 0) + probability;
			}
		});
	}
	return probabilities;
}

/** The probability from which on a voice counts as active in a window. */
const activeFrom = 0.5;

/**
 * The mean probability over all windows from which on a voice counts as active in a frame: of 0.5, 0.6 and 0.7 the one with
 * the least error on 36 conversations of 176 people. With 0.5, turns include more of the silence around them.
 */
const speechFrom = 0.6;

/** Frames in which a voice of a window and a track must both be active to be the same voice. */
const minSharedFrames = 3;

/** Consecutive frames in which a track is active. */
export interface ActiveStretch {
	readonly track: number;
	readonly from: number;
	/** Exclusive. */
	readonly to: number;
	/** The ranges of these frames in which no other track is active, each [from, to). */
	readonly alone: readonly (readonly [from: number, to: number])[];
}

interface OpenActivity {
	readonly from: number;
	readonly alone: [from: number, to: number][];
}

/** Weighted sums of a track's probabilities in the frames that are not final yet. */
interface Track {
	readonly sums: Float32Array;
	/** After the last frame in which it is active in any window. */
	activeUpTo: number;
	open: OpenActivity | undefined;
}

export class Activity {
	readonly #windowFrames: number;
	readonly #longest: number;
	readonly #tracks = new Map<number, Track>();
	/** The weight of each frame of a window. */
	readonly #weights: Float32Array;
	/** Sums of the weights of the windows that contain each frame, from `#base` on. */
	readonly #totals: Float32Array;
	/** Weighted sums over windows of the probability that any voice speaks in these frames. */
	readonly #speech: Float32Array;
	/** The first frame that is not final. */
	#base = 0;
	#nextTrack = 0;

	/** `longest`: frames after which a stretch is cut, so that its audio is still in memory when it is embedded. */
	constructor(windowFrames: number, longest: number) {
		this.#windowFrames = windowFrames;
		this.#longest = longest;
		this.#weights = hamming(windowFrames);
		this.#totals = new Float32Array(windowFrames);
		this.#speech = new Float32Array(windowFrames);
	}

	/** The earliest frame of a stretch that has not ended. */
	get needed(): number {
		return Math.min(this.#base, ...[...this.#tracks.values()].map(({ open }) => open?.from ?? this.#base));
	}

	/** Adds a window that begins at `#base`; frames before `finalUpTo` are final then. Returns the stretches that end. */
	push(chances: Float32Array, finalUpTo: number): ActiveStretch[] {
		const mapped = this.#tracksOf(chances);
		for (let frame = 0; frame < this.#windowFrames; frame++) {
			const weight = this.#weights[frame] ?? 0;
			this.#totals[frame] = (this.#totals[frame] ?? 0) + weight;
			let speech = 0;
			for (let voice = 0; voice < voicesInWindow; voice++)
				speech += chances[frame * voicesInWindow + voice] ?? 0;
			this.#speech[frame] = (this.#speech[frame] ?? 0) + weight * Math.min(speech, 1);
			mapped.forEach((track, voice) => {
				const own = this.#tracks.get(track);
				if (!own) return;
				const chance = chances[frame * voicesInWindow + voice] ?? 0;
				own.sums[frame] = (own.sums[frame] ?? 0) + weight * chance;
				if (chance >= activeFrom) own.activeUpTo = Math.max(own.activeUpTo, this.#base + frame + 1);
			});
		}
		const ended = this.#settle(finalUpTo - this.#base);
		for (const [id, { open, activeUpTo }] of this.#tracks)
			if (!open && activeUpTo <= this.#base) this.#tracks.delete(id);
		return ended;
	}

	/** No window follows; frames from `end` on are beyond the recording. */
	finish(end: number): ActiveStretch[] {
		const ended = this.#settle(Math.max(end - this.#base, 0));
		for (const [id, track] of this.#tracks) {
			if (track.open) ended.push(this.#closed(id, track, track.open, this.#base));
		}
		return ended;
	}

	/** The track of each voice of a window: a new track for a new voice, -1 for an inactive voice. */
	#tracksOf(chances: Float32Array): number[] {
		const pairs: { voice: number; track: number; shared: number }[] = [];
		for (let voice = 0; voice < voicesInWindow; voice++) {
			for (const [track, { sums }] of this.#tracks) {
				let shared = 0;
				for (let frame = 0; frame < this.#windowFrames; frame++) {
					const count = this.#totals[frame] ?? 0;
					if (count > 0)
						shared += ((chances[frame * voicesInWindow + voice] ?? 0) * (sums[frame] ?? 0)) / count;
				}
				if (shared >= minSharedFrames) pairs.push({ voice, track, shared });
			}
		}
		pairs.sort((a, b) => b.shared - a.shared);
		const found: number[] = Array.from({ length: voicesInWindow }, () => -1);
		for (const { voice, track } of pairs) {
			if (found[voice] === -1 && !found.includes(track)) found[voice] = track;
		}
		return found.map((track, voice) => (track === -1 && isActive(chances, voice) ? this.#newTrack() : track));
	}

	#newTrack(): number {
		const id = this.#nextTrack++;
		const sums = new Float32Array(this.#windowFrames);
		this.#tracks.set(id, { sums, activeUpTo: this.#base, open: undefined });
		return id;
	}

	/** Makes the next `count` frames final. */
	#settle(count: number): ActiveStretch[] {
		const ended: ActiveStretch[] = [];
		const most = Math.min(count, this.#windowFrames);
		for (let frame = 0; frame < most; frame++) {
			const at = this.#base + frame;
			const active = this.#activeIn(frame);
			for (const [id, track] of this.#tracks) {
				const isNow = active.includes(id);
				if (track.open && (!isNow || at - track.open.from >= this.#longest)) {
					ended.push(this.#closed(id, track, track.open, at));
				}
				if (!isNow) continue;
				track.open ??= { from: at, alone: [] };
				if (active.length > 1) continue;
				const last = track.open.alone.at(-1);
				if (last?.[1] === at) last[1] = at + 1;
				else track.open.alone.push([at, at + 1]);
			}
		}
		for (const { sums } of this.#tracks.values()) shift(sums, most);
		shift(this.#totals, most);
		shift(this.#speech, most);
		this.#base += count;
		return ended;
	}

	/**
	 * The active tracks. If there is certainly speech but the windows disagree about the voice, only the likeliest track:
	 * clustering decides which speaker it is.
	 */
	#activeIn(frame: number): number[] {
		const least = speechFrom * (this.#totals[frame] ?? 0);
		if (least === 0) return [];
		const active: number[] = [];
		let [mostLikely, most] = [-1, 0];
		for (const [id, { sums }] of this.#tracks) {
			const sum = sums[frame] ?? 0;
			if (sum >= least) active.push(id);
			if (sum > most) [mostLikely, most] = [id, sum];
		}
		const isSpeech = (this.#speech[frame] ?? 0) >= least;
		return active.length === 0 && isSpeech && mostLikely >= 0 ? [mostLikely] : active;
	}

	#closed(id: number, track: Track, { from, alone }: OpenActivity, to: number): ActiveStretch {
		track.open = undefined;
		return { track: id, from, to, alone };
	}
}

/** The network is least certain at the edges of a window, where it has only what comes before, or after. */
function hamming(count: number): Float32Array {
	return Float32Array.from(
		{ length: count },
		(_, at) => 0.54 - 0.46 * Math.cos((2 * Math.PI * (at + 0.5)) / count),
	);
}

function isActive(chances: Float32Array, voice: number): boolean {
	for (let at = voice; at < chances.length; at += voicesInWindow)
		if ((chances[at] ?? 0) >= activeFrom) return true;
	return false;
}

function shift(values: Float32Array, count: number): void {
	values.copyWithin(0, count);
	values.fill(0, values.length - count);
}
