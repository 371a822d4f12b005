/** Decides which worker runs what, from the state of all workers; every machine makes the same choice. Pure. */

export interface ModelOfWorker {
	readonly id: string;
	readonly state: 'loaded' | 'loading' | 'unloaded';
	/** Memory that it uses, or would use once loaded, bytes. */
	readonly bytes: number;
	/** Seconds of audio that one slot transcribes in a second. */
	readonly speed: number;
	/** Time to load it, seconds. */
	readonly loadSeconds: number;
}

/** The state that a worker announces. */
export interface WorkerView {
	readonly id: string;
	/** Recordings that it transcribes at once. */
	readonly slots: number;
	readonly busySlots: number;
	/** Audio in recordings that it has begun and not finished, seconds. */
	readonly queuedSeconds: number;
	/** Free memory for further models, bytes. */
	readonly freeBytes: number;
	/** Time since it last had work, seconds; 0 while it is busy. */
	readonly idleSeconds: number;
	/** The models that it may serve. */
	readonly models: readonly ModelOfWorker[];
}

const modelOf = (worker: WorkerView, model: string): ModelOfWorker | undefined =>
	worker.models.find(({ id }) => id === model);

/** Time that a worker needs for its queued audio, seconds. */
export function secondsQueued(worker: WorkerView, model: string): number {
	const speed = modelOf(worker, model)?.speed ?? 1;
	return worker.queuedSeconds / Math.max(0.01, speed * worker.slots);
}

const hasCapacity = (worker: WorkerView, model: string): boolean =>
	worker.freeBytes >= (modelOf(worker, model)?.bytes ?? Number.POSITIVE_INFINITY);

/**
 * The worker for a recording whose client waits: a worker with the model loaded and a free slot, the one with the
 * least queued; otherwise one with enough free memory; otherwise the one that has been idle the longest, which
 * unloads a model. Undefined: no worker has room, and the recording waits in the queue.
 */
export function chooseWorker(workers: readonly WorkerView[], model: string): WorkerView | undefined {
	const able = workers.filter((worker) => worker.busySlots < worker.slots && modelOf(worker, model));
	const loaded = able.filter((worker) => modelOf(worker, model)?.state === 'loaded');
	if (loaded.length > 0) return best(loaded, (worker) => secondsQueued(worker, model));
	const withCapacity = able.filter((worker) => hasCapacity(worker, model));
	if (withCapacity.length > 0) return best(withCapacity, (worker) => worker.busySlots / worker.slots);
	const idle = able.filter((worker) => worker.busySlots === 0);
	return best(idle, (worker) => -worker.idleSeconds);
}

/** The worker with the least cost; ties go to the first id, so that every machine makes the same choice. */
function best(workers: readonly WorkerView[], cost: (worker: WorkerView) => number): WorkerView | undefined {
	return [...workers].sort((a, b) => cost(a) - cost(b) || (a.id < b.id ? -1 : 1))[0];
}

/** Another copy is loaded when the existing ones would need longer than this, or than loading takes, for the
 * waiting audio. */
const minToleratedSeconds = 10;

/**
 * Ids of the workers that may take units of a model: those that have it loaded or loading, and as many more as the
 * waiting audio justifies, up to the model's share of all waiting audio, since loading takes time and other models
 * need workers too. Seconds are of audio; `allWaitingSeconds`: of all models.
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
	// Workers with enough free memory first, then the least busy, then those idle the longest.
	others.sort(
		(a, b) =>
			Number(hasCapacity(b, model)) - Number(hasCapacity(a, model)) ||
			a.busySlots / a.slots - b.busySlots / b.slots ||
			b.idleSeconds - a.idleSeconds ||
			(a.id < b.id ? -1 : 1),
	);
	const speedOf = (worker: WorkerView) => Math.max(0.01, (modelOf(worker, model)?.speed ?? 1) * worker.slots);
	const sum = (of: readonly WorkerView[]) => of.reduce((all, worker) => all + speedOf(worker), 0);
	const share = (sum(able) * waitingSeconds) / Math.max(waitingSeconds, allWaitingSeconds);
	let total = sum(holders);
	for (const worker of others) {
		const toleratedSeconds = Math.max(modelOf(worker, model)?.loadSeconds ?? 0, minToleratedSeconds);
		if (total > 0 && (waitingSeconds / total <= toleratedSeconds || total >= share)) break;
		if (!hasCapacity(worker, model) && worker.busySlots > 0) continue;
		chosen.add(worker.id);
		total += speedOf(worker);
	}
	return chosen;
}
