/** Whether the next batch may start, and with how many threads. Pure. */

export interface LaneRules {
	/** Batches at once. */
	readonly lanes: number;
	/** Threads all lanes may use together. */
	readonly maxThreads: number;
	/** Threads that one clip can make use of. */
	readonly maxClipThreads: number;
}

/** What a batch was given, for as long as it runs. */
export interface Grant {
	readonly threads: number;
	/** Beyond the lanes; one at a time. */
	readonly express: boolean;
	/** Which one, from 0; the express lane comes after the others. */
	readonly lane: number;
}

export interface RunningBatch extends Grant {
	/** Of its longest clip. */
	readonly seconds: number;
}

/** A clip takes the express lane past one that is this many times longer. */
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
	{ lanes, maxThreads, maxClipThreads }: LaneRules,
): Grant | null {
	const regular = running.filter(({ express }) => !express);
	// Batches that share a lane share its thread.
	const threadsOf = new Map(regular.map(({ lane, threads }) => [lane, threads]));
	// More lanes than threads are somebody's explicit wish: one thread each.
	const free =
		Math.max(maxThreads, lanes) - [...threadsOf.values()].reduce((sum, threads) => sum + threads, 0);
	const freeLanes = lanes - threadsOf.size;
	if (freeLanes <= 0 || free <= 0) return null;
	const share = Math.floor(Math.min(free, maxThreads) / Math.min(waiting, freeLanes));
	const lane = Array.from({ length: lanes }, (_, at) => at).find((at) => !threadsOf.has(at)) ?? 0;
	return { threads: Math.max(1, Math.min(share, maxClipThreads)), express: false, lane };
}

/**
 * Whether a short clip goes past much longer ones instead of waiting for them: on the express lane, with one thread more
 * than there are cores, and the kernel shares the cores out. Where the others have one thread each, as they have under
 * load, none of them spins.
 */
export function takesExpress(
	next: { readonly seconds: number; readonly interactive: boolean },
	inTheWay: readonly Pick<RunningBatch, 'seconds'>[],
): boolean {
	return next.interactive && inTheWay.some(({ seconds }) => seconds >= expressRatio * next.seconds);
}

/** A lane at work. */
export interface LaneAtWork<W> extends Pick<Grant, 'threads' | 'express' | 'lane'> {
	/** Of a long recording. */
	readonly background: boolean;
	/** What it is at work on. */
	readonly clips: readonly W[];
}

/**
 * The lane that `next` may join, of those that have the least to do: one of one thread, whose clips it `fits` to. Others
 * may not go past it into a lane, or a lane that it could have for itself would never be free. undefined: none.
 */
export function laneToJoin<W>(
	next: { readonly background: boolean },
	lanes: readonly LaneAtWork<W>[],
	fits: (clips: readonly W[]) => boolean,
): number | undefined {
	const open = lanes.filter(
		({ threads, express, background, clips }) =>
			threads === 1 && !express && background === next.background && fits(clips),
	);
	return open.toSorted((a, b) => a.clips.length - b.clips.length)[0]?.lane;
}
