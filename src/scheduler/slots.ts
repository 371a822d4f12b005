/** Decides whether the next batch may start, on which slot and with how many threads. Pure. */

export interface SlotRules {
	/** Batches that may run at once. */
	readonly slots: number;
	/** Threads that all slots may use together. */
	readonly maxThreads: number;
	/** Threads that one clip can use. */
	readonly maxClipThreads: number;
}

/** The resources of a batch while it runs. */
export interface Grant {
	readonly threads: number;
	/** Whether the batch runs on the priority slot, which is in addition to `slots`. */
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
 * Divides the free threads among the clips that could start now: a single clip gets all of them, each of many gets one.
 * Never grants more threads than are available, since engines spin while they wait for their own threads. Once all
 * threads are granted, every core is busy, so a waiting clip loses nothing.
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
	// There are more slots than threads only by explicit configuration; each slot then has one thread.
	const free =
		Math.max(maxThreads, slots) - [...threadsOf.values()].reduce((sum, threads) => sum + threads, 0);
	const freeSlots = slots - threadsOf.size;
	if (freeSlots <= 0 || free <= 0) return null;
	const share = Math.floor(Math.min(free, maxThreads) / Math.min(waiting, freeSlots));
	const slot = Array.from({ length: slots }, (_, at) => at).find((at) => !threadsOf.has(at)) ?? 0;
	return { threads: Math.max(1, Math.min(share, maxClipThreads)), isPriority: false, slot };
}

/**
 * Whether a short clip runs on the priority slot instead of waiting for much longer clips. It then uses one thread more
 * than there are cores, and the operating system shares the cores. Under load the other clips have one thread each, so
 * none of them spins.
 */
export function takesPrioritySlot(
	next: { readonly seconds: number; readonly interactive: boolean },
	blocking: readonly Pick<RunningBatch, 'seconds'>[],
): boolean {
	return next.interactive && blocking.some(({ seconds }) => seconds >= priorityRatio * next.seconds);
}

/** A slot with running clips. */
export interface BusySlot<W> extends Pick<Grant, 'threads' | 'isPriority' | 'slot'> {
	/** Whether the slot runs clips of background recordings. */
	readonly background: boolean;
	/** Clips being decoded. */
	readonly clips: readonly W[];
}

/**
 * The slot that `next` may join by continuous batching: among the single-threaded slots of the same kind whose clips it
 * `fits`, the one with the fewest clips; undefined if there is none.
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
 * Number of further slots that background recordings may take; Infinity unless one of `slots` is reserved for
 * interactive ones. Negative: background recordings hold too many slots, and must give one up when its clips are done.
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
