/** Decides whether the next batch may start, on which slot and with how many threads. Pure. */

export interface SlotRules {
	/** Batches that may run at once. */
	readonly slots: number;
	/** Threads all slots may use together. */
	readonly maxThreads: number;
	/** Threads that one clip can use. */
	readonly maxClipThreads: number;
}

/** The resources of a batch while it runs. */
export interface Grant {
	readonly threads: number;
	/** Runs on the priority slot, which is in addition to `slots`. */
	readonly isPriority: boolean;
	/** Index from 0; the priority slot comes after the others. */
	readonly slot: number;
}

export interface RunningBatch extends Grant {
	/** Audio seconds of its longest clip. */
	readonly seconds: number;
}

/** A clip takes the priority slot when a running clip is at least this many times longer. */
const priorityRatio = 2;

/**
 * Divides the free threads among the clips that could start now: a lone clip gets all of them, each of many gets one.
 * Never grants more threads than there are, since engines spin while they wait for their own threads. Once all threads
 * are granted every core is busy, so a waiting clip loses nothing.
 *
 * `waiting`: number of waiting clips. Returns null when nothing may start now.
 */
export function grantFor(
	waiting: number,
	running: readonly RunningBatch[],
	{ slots, maxThreads, maxClipThreads }: SlotRules,
): Grant | null {
	const regular = running.filter(({ isPriority }) => !isPriority);
	// Batches that share a slot share its thread.
	const threadsOf = new Map(regular.map(({ slot, threads }) => [slot, threads]));
	// More slots than threads happens only by explicit setting: one thread each.
	const free =
		Math.max(maxThreads, slots) - [...threadsOf.values()].reduce((sum, threads) => sum + threads, 0);
	const freeSlots = slots - threadsOf.size;
	if (freeSlots <= 0 || free <= 0) return null;
	const share = Math.floor(Math.min(free, maxThreads) / Math.min(waiting, freeSlots));
	const slot = Array.from({ length: slots }, (_, at) => at).find((at) => !threadsOf.has(at)) ?? 0;
	return { threads: Math.max(1, Math.min(share, maxClipThreads)), isPriority: false, slot };
}

/**
 * Whether a short clip runs on the priority slot instead of waiting for much longer clips. That is one thread more than
 * there are cores, which the operating system shares out. Under load the other clips have one thread each, so none of
 * them spins.
 */
export function takesPrioritySlot(
	next: { readonly seconds: number; readonly interactive: boolean },
	inTheWay: readonly Pick<RunningBatch, 'seconds'>[],
): boolean {
	return next.interactive && inTheWay.some(({ seconds }) => seconds >= priorityRatio * next.seconds);
}

/** A slot with running clips. */
export interface BusySlot<W> extends Pick<Grant, 'threads' | 'isPriority' | 'slot'> {
	/** Runs clips of background recordings. */
	readonly background: boolean;
	/** Clips being decoded. */
	readonly clips: readonly W[];
}

/**
 * The slot that `next` may join by continuous batching: of the single-threaded slots of the same kind whose clips it
 * `fits`, the one with the fewest clips. undefined: none.
 */
export function slotToJoin<W>(
	next: { readonly background: boolean },
	slots: readonly BusySlot<W>[],
	fits: (clips: readonly W[]) => boolean,
): number | undefined {
	const open = slots.filter(
		({ threads, isPriority, background, clips }) =>
			threads === 1 && !isPriority && background === next.background && fits(clips),
	);
	return open.toSorted((a, b) => a.clips.length - b.clips.length)[0]?.slot;
}

/**
 * Slots that clips of background recordings may take beyond those that they have, where one of `slots` is reserved for
 * interactive ones; negative: they have more, and leave one when it is done.
 */
export function slotsLeftToBackground(
	isReserved: boolean,
	busy: readonly Pick<BusySlot<unknown>, 'background' | 'isPriority'>[],
	slots: number,
): number {
	if (!isReserved) return Number.POSITIVE_INFINITY;
	const taken = busy.filter(({ background, isPriority }) => background && !isPriority).length;
	return Math.max(1, slots - 1) - taken;
}
