/** Whether the next batch may start, and with how many threads. Pure. */

export interface SlotRules {
	/** Batches at once. */
	readonly slots: number;
	/** Threads all slots may use together. */
	readonly maxThreads: number;
	/** Threads that one clip can make use of. */
	readonly maxClipThreads: number;
}

/** What a batch was given, for as long as it runs. */
export interface Grant {
	readonly threads: number;
	/** Beyond the slots; one at a time. */
	readonly express: boolean;
	/** Which one, from 0; the priority slot comes after the others. */
	readonly slot: number;
}

export interface RunningBatch extends Grant {
	/** Of its longest clip. */
	readonly seconds: number;
}

/** A clip takes the priority slot past one that is this many times longer. */
export const expressRatio = 2;

/**
 * Free threads are shared out among those that could start now, so all cores go to a clip that is alone, and
 * one each where many wait. Never more threads run than there are: engines spin while they wait for their
 * own threads. When all are out, a clip waits, and loses nothing by it, since every core is at work.
 *
 * `waiting`: clips that wait. null: not now.
 */
export function grantFor(
	waiting: number,
	running: readonly RunningBatch[],
	{ slots, maxThreads, maxClipThreads }: SlotRules,
): Grant | null {
	const regular = running.filter(({ express }) => !express);
	// Batches that share a slot share its thread.
	const threadsOf = new Map(regular.map(({ slot, threads }) => [slot, threads]));
	// More slots than threads are somebody's explicit wish: one thread each.
	const free =
		Math.max(maxThreads, slots) - [...threadsOf.values()].reduce((sum, threads) => sum + threads, 0);
	const freeSlots = slots - threadsOf.size;
	if (freeSlots <= 0 || free <= 0) return null;
	const share = Math.floor(Math.min(free, maxThreads) / Math.min(waiting, freeSlots));
	const slot = Array.from({ length: slots }, (_, at) => at).find((at) => !threadsOf.has(at)) ?? 0;
	return { threads: Math.max(1, Math.min(share, maxClipThreads)), express: false, slot };
}

/**
 * Whether a short clip goes past much longer ones instead of waiting for them: on the priority slot, with one thread more
 * than there are cores, and the kernel shares the cores out. Where the others have one thread each, as they have under
 * load, none of them spins.
 */
export function takesPrioritySlot(
	next: { readonly seconds: number; readonly interactive: boolean },
	inTheWay: readonly Pick<RunningBatch, 'seconds'>[],
): boolean {
	return next.interactive && inTheWay.some(({ seconds }) => seconds >= expressRatio * next.seconds);
}

/** A slot at work. */
export interface BusySlot<W> extends Pick<Grant, 'threads' | 'express' | 'slot'> {
	/** Of a long recording. */
	readonly background: boolean;
	/** What it is at work on. */
	readonly clips: readonly W[];
}

/**
 * The slot that `next` may join, of those that have the least to do: one of one thread, whose clips it `fits` to. Others
 * may not go past it into a slot, or a slot that it could have for itself would never be free. undefined: none.
 */
export function slotToJoin<W>(
	next: { readonly background: boolean },
	slots: readonly BusySlot<W>[],
	fits: (clips: readonly W[]) => boolean,
): number | undefined {
	const open = slots.filter(
		({ threads, express, background, clips }) =>
			threads === 1 && !express && background === next.background && fits(clips),
	);
	return open.toSorted((a, b) => a.clips.length - b.clips.length)[0]?.slot;
}
