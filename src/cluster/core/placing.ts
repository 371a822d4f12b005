/** Which worker runs what. Pure: a picture of all workers in, a choice out; the same choice on every machine. */

export interface ModelOfWorker {
	readonly id: string;
	readonly state: 'loaded' | 'loading' | 'unloaded';
	/** Memory that it takes or would take, bytes. */
	readonly bytes: number;
	/** Seconds of audio that one lane transcribes in a second. */
	readonly pace: number;
	/** Seconds that loading takes. */
	readonly loadSeconds: number;
}

/** What a worker tells of itself. */
export interface WorkerView {
	readonly id: string;
	/** Recordings that it transcribes at once. */
	readonly lanes: number;
	readonly busyLanes: number;
	/** Audio of what it has begun and not finished, seconds. */
	readonly queuedSeconds: number;
	/** Memory for more models, bytes. */
	readonly freeBytes: number;
	/** Since it had work, seconds; 0 while it has. */
	readonly idleSeconds: number;
	/** Those that it may serve. */
	readonly models: readonly ModelOfWorker[];
}

const modelOf = (worker: WorkerView, model: string): ModelOfWorker | undefined =>
	worker.models.find(({ id }) => id === model);

/** How long what a worker has begun will take, seconds. */
export function secondsQueued(worker: WorkerView, model: string): number {
	const pace = modelOf(worker, model)?.pace ?? 1;
	return worker.queuedSeconds / Math.max(0.01, pace * worker.lanes);
}

const hasRoom = (worker: WorkerView, model: string): boolean =>
	worker.freeBytes >= (modelOf(worker, model)?.bytes ?? Number.POSITIVE_INFINITY);

/**
 * Who transcribes a recording that somebody waits for: a worker with the model loaded and a free lane, the one with the
 * least in work; else one with room in memory; else the one that has been idle for longest, which unloads something.
 * Undefined: nobody has room, and the recording waits in the queue.
 */
export function chooseWorker(workers: readonly WorkerView[], model: string): WorkerView | undefined {
	const able = workers.filter((worker) => worker.busyLanes < worker.lanes && modelOf(worker, model));
	const loaded = able.filter((worker) => modelOf(worker, model)?.state === 'loaded');
	if (loaded.length > 0) return best(loaded, (worker) => secondsQueued(worker, model));
	const roomy = able.filter((worker) => hasRoom(worker, model));
	if (roomy.length > 0) return best(roomy, (worker) => worker.busyLanes / worker.lanes);
	const idle = able.filter((worker) => worker.busyLanes === 0);
	return best(idle, (worker) => -worker.idleSeconds);
}

/** The one with the least cost; of equals the first by id, so that every machine chooses alike. */
function best(workers: readonly WorkerView[], cost: (worker: WorkerView) => number): WorkerView | undefined {
	return [...workers].sort((a, b) => cost(a) - cost(b) || (a.id < b.id ? -1 : 1))[0];
}

/** A second copy is loaded when the first ones need longer than this for what waits, or than loading takes. */
const patienceSeconds = 10;

/**
 * Workers that may take units of a model: those that have it or are loading it, and as many more as what waits is worth,
 * but not more than its share of all that waits: the others are for other models, and loading takes time.
 * Seconds are of audio; `allWaitingSeconds`: of all models.
 */
export function workersFor(
	workers: readonly WorkerView[],
	model: string,
	waitingSeconds: number,
	allWaitingSeconds = waitingSeconds,
): ReadonlySet<string> {
	const able = workers.filter((worker) => modelOf(worker, model));
	const holders = able.filter((worker) => modelOf(worker, model)?.state !== 'unloaded');
	const chosen = new Set(holders.map(({ id }) => id));
	if (waitingSeconds <= 0) return chosen;
	const others = able.filter(({ id }) => !chosen.has(id));
	// Coldest first among those that would have to unload something, and those with work of another model last.
	others.sort(
		(a, b) =>
			Number(hasRoom(b, model)) - Number(hasRoom(a, model)) ||
			a.busyLanes / a.lanes - b.busyLanes / b.lanes ||
			b.idleSeconds - a.idleSeconds ||
			(a.id < b.id ? -1 : 1),
	);
	const speed = (worker: WorkerView) => Math.max(0.01, (modelOf(worker, model)?.pace ?? 1) * worker.lanes);
	const sum = (of: readonly WorkerView[]) => of.reduce((all, worker) => all + speed(worker), 0);
	const share = (sum(able) * waitingSeconds) / Math.max(waitingSeconds, allWaitingSeconds);
	let total = sum(holders);
	for (const worker of others) {
		const patience = Math.max(modelOf(worker, model)?.loadSeconds ?? 0, patienceSeconds);
		if (total > 0 && (waitingSeconds / total <= patience || total >= share)) break;
		if (!hasRoom(worker, model) && worker.busyLanes > 0) continue;
		chosen.add(worker.id);
		total += speed(worker);
	}
	return chosen;
}
