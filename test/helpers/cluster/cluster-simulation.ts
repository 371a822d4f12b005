/**
 * A cluster as discrete events: workers that are killed, paused and cut off, deliveries that are doubled and lost. The
 * rules are the real ones (whose turn it is, which worker takes what, leases and their fencing); network, locks and time are
 * simulated.
 */

import { FairLines, maxReleasedUnits } from '../../../src/cluster/core/fair-lines.js';
import { type WorkerView, workersFor } from '../../../src/cluster/core/placing.js';
import {
	checkpointed,
	completed,
	isTerminal,
	leased,
	newRecord,
	released,
	type UnitRecord,
	withGroup,
} from '../../../src/cluster/core/unit-record.js';
import { lockMs, stalledEveryMs } from '../../../src/cluster/transport/transport.js';
import { finishedUnits } from '../../../src/jobs/outcome.js';
import { type Unit, unitSchema } from '../../../src/jobs/queue.js';
import { blob, jobId } from './cluster.js';

export interface SimulationOptions {
	readonly seed: number;
	readonly workers: number;
	readonly jobs: number;
	/** Default 3. */
	readonly models?: number;
	/** Of all recordings: those of 20 to 60 minutes, which are divided; default none. */
	readonly long?: number;
	/** Of all workers, in the course of the whole: what happens to them. */
	readonly killed: number;
	readonly paused: number;
	readonly cutOff: number;
	/** Of all deliveries. */
	readonly doubled: number;
	readonly lost: number;
}

export interface SimulationResult {
	/** When the last job was done, seconds. */
	readonly makespan: number;
	/** When the same slots would have been done without waiting for anything. */
	readonly ideal: number;
	/** Jobs. */
	readonly done: number;
	/** Jobs that ended a second time, or whose groups were not all of the recording in order; must be 0. */
	readonly wrongEnds: number;
	/** Groups that recordings were divided into. */
	readonly groups: number;
	/** Results accepted for a unit that had one; must be 0. */
	readonly doubleResults: number;
	/** Results and clips that were refused since the unit had gone to another. */
	readonly fenced: number;
	readonly redelivered: number;
	/** Clips that were accepted out of order; must be 0. */
	readonly disorder: number;
	/** Seconds of audio that were transcribed again. */
	readonly repeatedSeconds: number;
	/** The longest time from a worker's death until its unit could be taken by another, seconds. */
	readonly slowestNotice: number;
	/** When each tenant's last unit was done, seconds. */
	readonly tenantsDone: ReadonlyMap<string, number>;
}

const slots = 4;
const speed = 20;
const clipSeconds = 30;
const groupClips = 4;
/** Audio that is cut in a second. */
const cutSpeed = 300;
const models = ['small', 'medium', 'large'];
const modelBytes = 1;
const roomBytes = 2;
const loadSeconds = 10;
const lookEvery = 1;
const lostAfter = 15;
const stalledEvery = stalledEveryMs / 1000;
const lock = lockMs / 1000;

interface Work {
	readonly unit: SimUnit;
	readonly number: number;
	/** Clips, or groups, when it began. */
	readonly from: number;
	/** When it began to transcribe. */
	startAt: number;
	/** Clips, or groups, that it has reported. */
	reported: number;
	isOver: boolean;
}

interface SimJob {
	/** Seconds. */
	readonly length: number;
	/** By part. */
	readonly units: SimUnit[];
	hasEnded: boolean;
}

interface SimUnit {
	readonly unit: Unit;
	readonly job: SimJob;
	/** To be transcribed; of a recording that is divided, to be cut. */
	readonly clips: number;
	/** Into so many; 0 = it is not divided. */
	readonly groups: number;
	record: UnitRecord;
	isInTransport: boolean;
	/** The work that holds its lock, if any. */
	lockedBy: { worker: SimWorker; work: Work } | undefined;
	releasedAt: number;
	lostAt: number | undefined;
}

interface SimWorker {
	readonly id: string;
	readonly works: Set<Work>;
	/** Loaded or loading, and when that is done. */
	readonly loaded: Map<string, number>;
	state: 'up' | 'paused' | 'cut-off' | 'down';
	since: number;
	idleSince: number;
}

export function randomOf(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
	};
}

export function simulate(options: SimulationOptions): SimulationResult {
	return new Simulation(options).run();
}

const keyOf = ({ jobId: id, part }: Pick<Unit, 'jobId' | 'part'>): string => `${id}-${part}`;

/** A heap by time. */
class Agenda {
	readonly #heap: { readonly at: number; readonly order: number; readonly act: () => void }[] = [];
	#order = 0;

	add(at: number, act: () => void): void {
		const heap = this.#heap;
		heap.push({ at, order: this.#order++, act });
		for (let index = heap.length - 1; index > 0; ) {
			const parent = (index - 1) >> 1;
			if (!this.#before(index, parent)) break;
			[heap[index], heap[parent]] = [heap[parent]!, heap[index]!];
			index = parent;
		}
	}

	take(): { readonly at: number; readonly act: () => void } {
		const heap = this.#heap;
		const first = heap[0]!;
		const last = heap.pop()!;
		if (heap.length > 0) {
			heap[0] = last;
			for (let index = 0; ; ) {
				const left = 2 * index + 1;
				let least = index;
				for (const child of [left, left + 1])
					if (child < heap.length && this.#before(child, least)) least = child;
				if (least === index) break;
				[heap[index], heap[least]] = [heap[least]!, heap[index]!];
				index = least;
			}
		}
		return first;
	}

	#before(one: number, other: number): boolean {
		const [a, b] = [this.#heap[one]!, this.#heap[other]!];
		return a.at < b.at || (a.at === b.at && a.order < b.order);
	}
}

class Simulation {
	readonly #options: SimulationOptions;
	readonly #random: () => number;
	readonly #agenda = new Agenda();
	readonly #units = new Map<string, SimUnit>();
	readonly #workers: SimWorker[];
	readonly #lines = new Map(models.map((model) => [model, new FairLines()]));
	readonly #ready = new Map<string, SimUnit[]>(models.map((model) => [model, []]));
	readonly #underWay = new Map<string, Set<SimUnit>>(models.map((model) => [model, new Set()]));
	readonly #underWayOf = new Map<string, number>();
	readonly #waitingSeconds = new Map<string, number>(models.map((model) => [model, 0]));
	readonly #allowed = new Map<string, ReadonlySet<string>>();
	readonly #idle = new Set<SimWorker>();
	readonly #tenantsDone = new Map<string, number>();
	readonly #isLong: () => boolean;
	#now = 0;
	#open: number;
	#capacity = 0;
	#capacityAt = 0;
	#aliveSlots: number;
	#ideal: number | undefined;
	readonly #totalSeconds: number;
	#counts = {
		done: 0,
		wrongEnds: 0,
		groups: 0,
		doubleResults: 0,
		fenced: 0,
		redelivered: 0,
		disorder: 0,
		repeatedSeconds: 0,
	};
	#slowestNotice = 0;

	constructor(options: SimulationOptions) {
		this.#options = options;
		this.#random = randomOf(options.seed);
		this.#open = options.jobs;
		this.#isLong = (options.long ?? 0) > 0 ? () => this.#random() < (options.long ?? 0) : () => false;
		this.#workers = Array.from({ length: options.workers }, (_, index) => ({
			id: `w${String(index).padStart(4, '0')}`,
			works: new Set<Work>(),
			loaded: new Map<string, number>(),
			state: 'up' as const,
			since: 0,
			idleSince: 0,
		}));
		this.#aliveSlots = options.workers * slots;
		for (const worker of this.#workers) this.#idle.add(worker);
		let total = 0;
		for (let index = 0; index < options.jobs; index++) total += this.#add(index);
		this.#totalSeconds = total;
	}

	#add(index: number): number {
		const isLong = this.#isLong();
		const clips = isLong ? 40 + Math.floor(this.#random() * 81) : 10 + Math.floor(this.#random() * 21);
		const seconds = clips * clipSeconds;
		const unit: Unit = {
			jobId: jobId(index),
			part: 0,
			model: models[Math.floor(this.#random() ** 2 * (this.#options.models ?? models.length))]!,
			class: this.#random() < 0.1 ? 'bulk' : this.#random() < 0.1 ? 'interactive' : 'normal',
			// One of them brings half of everything.
			tenant: this.#random() < 0.5 ? 't0' : `t${1 + Math.floor(this.#random() * 19)}`,
			seconds,
			schema: unitSchema,
			queuedAt: index,
			...(isLong && { mayDivide: true }),
		};
		const job: SimJob = { length: seconds, units: [], hasEnded: false };
		const groups = isLong ? Math.ceil(clips / groupClips) : 0;
		this.#queue(newRecord(unit), { job, clips, groups });
		return seconds;
	}

	#queue(record: UnitRecord, about: Pick<SimUnit, 'job' | 'clips' | 'groups'>): void {
		const { unit } = record;
		const made: SimUnit = {
			...{ unit, record, ...about, isInTransport: false, lockedBy: undefined, releasedAt: 0 },
			lostAt: undefined,
		};
		about.job.units[unit.part] = made;
		this.#units.set(keyOf(unit), made);
		const { class: priority, tenant, seconds, part, model } = unit;
		const lines = this.#lines.get(model)!;
		const whole = about.job.units[0]!.unit;
		if (part === 1) lines.putBack({ class: priority, tenant, seconds: whole.seconds });
		lines.add({ key: keyOf(unit), class: priority, tenant, seconds });
		this.#waitingSeconds.set(model, this.#waitingSeconds.get(model)! + seconds);
	}

	run(): SimulationResult {
		const { workers, killed, paused, cutOff } = this.#options;
		const span = this.#totalSeconds / (speed * this.#aliveSlots);
		const trouble = (share: number, act: (worker: SimWorker) => void) => {
			for (let count = 0; count < share * workers; count++) {
				const worker = this.#workers[Math.floor(this.#random() * workers)]!;
				this.#agenda.add(this.#random() * span, () => act(worker));
			}
		};
		trouble(killed, (worker) => this.#kill(worker));
		trouble(paused, (worker) => this.#silence(worker, 'paused', 20 + this.#random() * 60));
		trouble(cutOff, (worker) => this.#silence(worker, 'cut-off', 5 + this.#random() * 60));
		this.#agenda.add(0, () => this.#look());
		this.#agenda.add(stalledEvery, () => this.#findStalled());
		while (this.#open > 0) {
			if (this.#now > 50 * span + 10_000) throw new Error(`${this.#open} units are never done`);
			const { at, act } = this.#agenda.take();
			this.#now = at;
			act();
		}
		return {
			makespan: this.#now,
			ideal: this.#ideal ?? this.#now,
			...this.#counts,
			slowestNotice: this.#slowestNotice,
			tenantsDone: this.#tenantsDone,
		};
	}

	// ---- the releaser and the placing, each second -----------------------------------------------------

	#look(): void {
		const views = this.#workers.filter(({ state }) => state === 'up').map((worker) => this.#view(worker));
		const all = [...this.#waitingSeconds.values()].reduce((sum, each) => sum + each, 0);
		for (const model of models) {
			// What was leased by a worker that has died waits, too.
			const redelivered = this.#ready.get(model)!.length;
			const waiting = this.#waitingSeconds.get(model)! + redelivered;
			this.#allowed.set(model, workersFor(views, model, waiting, all));
			this.#findLost(model);
			this.#release(model);
		}
		this.#dispatch();
		this.#agenda.add(this.#now + lookEvery, () => this.#look());
	}

	#view(worker: SimWorker): WorkerView {
		return {
			id: worker.id,
			slots,
			busySlots: worker.works.size,
			queuedSeconds: 0,
			freeBytes: roomBytes - worker.loaded.size * modelBytes,
			idleSeconds: worker.works.size > 0 ? 0 : this.#now - worker.idleSince,
			models: models.map((id) => ({
				id,
				state: !worker.loaded.has(id)
					? 'unloaded'
					: worker.loaded.get(id)! > this.#now
						? 'loading'
						: 'loaded',
				bytes: modelBytes,
				speed,
				loadSeconds,
			})),
		};
	}

	#release(model: string): void {
		const lines = this.#lines.get(model)!;
		const underWay = this.#underWay.get(model)!;
		const slotsOfModel = (this.#allowed.get(model)?.size ?? 0) * slots;
		const most = maxReleasedUnits(slotsOfModel, lines.tenants().size);
		const isFull = (tenant: string) => (this.#underWayOf.get(`${model} ${tenant}`) ?? 0) >= most;
		for (let free = slotsOfModel + 2 - underWay.size; free > 0; free--) {
			const next = lines.next(isFull);
			if (next === undefined) return;
			const unit = this.#units.get(next.key)!;
			const after = released(unit.record);
			if (after === null) continue;
			unit.record = after;
			unit.releasedAt = this.#now;
			this.#enter(unit);
			// The process that releases may die between the record and the transport.
			if (this.#random() >= this.#options.lost) this.#send(unit);
		}
	}

	#enter(unit: SimUnit): void {
		const { model, tenant } = unit.unit;
		this.#underWay.get(model)!.add(unit);
		const key = `${model} ${tenant}`;
		this.#underWayOf.set(key, (this.#underWayOf.get(key) ?? 0) + 1);
	}

	#leave(unit: SimUnit): void {
		const { model, tenant } = unit.unit;
		if (!this.#underWay.get(model)!.delete(unit)) return;
		const key = `${model} ${tenant}`;
		this.#underWayOf.set(key, (this.#underWayOf.get(key) ?? 0) - 1);
	}

	#send(unit: SimUnit): void {
		unit.isInTransport = true;
		const ready = this.#ready.get(unit.unit.model)!;
		ready.push(unit);
		if (this.#random() < this.#options.doubled) ready.push(unit);
	}

	#findLost(model: string): void {
		for (const unit of this.#underWay.get(model)!) {
			if (unit.isInTransport || isTerminal(unit.record) || this.#now - unit.releasedAt < lostAfter) continue;
			this.#send(unit);
		}
	}

	// ---- workers ---------------------------------------------------------------------------------------

	#dispatch(): void {
		for (const worker of this.#idle) {
			while (worker.works.size < slots && this.#takeOne(worker));
			if (worker.works.size >= slots) this.#idle.delete(worker);
		}
	}

	#takeOne(worker: SimWorker): boolean {
		if (worker.state !== 'up') {
			this.#idle.delete(worker);
			return false;
		}
		for (const model of models) {
			const ready = this.#ready.get(model)!;
			if (ready.length === 0 || !this.#allowed.get(model)?.has(worker.id)) continue;
			if (!this.#makeRoom(worker, model)) continue;
			const unit = ready.shift()!;
			this.#begin(worker, unit);
			return true;
		}
		return false;
	}

	#makeRoom(worker: SimWorker, model: string): boolean {
		if (worker.loaded.has(model)) return true;
		if (worker.loaded.size * modelBytes + modelBytes > roomBytes) {
			if (worker.works.size > 0) return false;
			const [oldest] = worker.loaded.keys();
			worker.loaded.delete(oldest!);
		}
		worker.loaded.set(model, this.#now + loadSeconds);
		return true;
	}

	#begin(worker: SimWorker, unit: SimUnit): void {
		const before = unit.record;
		const after = leased(before, worker.id);
		if (after === null) return;
		if (after.stage === 'failed') throw new Error('a unit has failed without a fault of its own');
		if (before.stage === 'leased') this.#counts.redelivered++;
		else
			this.#waitingSeconds.set(
				unit.unit.model,
				this.#waitingSeconds.get(unit.unit.model)! - unit.unit.seconds,
			);
		unit.lostAt = undefined;
		unit.record = after;
		const startAt = Math.max(this.#now, worker.loaded.get(unit.unit.model) ?? 0);
		const work: Work = {
			unit,
			number: after.number,
			from: unit.groups > 0 ? (after.groups ?? 0) : after.clips,
			startAt,
			reported: unit.groups > 0 ? (after.groups ?? 0) : after.clips,
			isOver: false,
		};
		unit.lockedBy = { worker, work };
		worker.works.add(work);
		// The worker that continued it may have died before it said that it was done.
		if (unit.groups > 0 && work.reported === unit.groups) this.#finish(worker, work);
		else this.#nextClip(worker, work);
	}

	#nextClip(worker: SimWorker, work: Work): void {
		const isCut = work.unit.groups > 0;
		const each = isCut ? (groupClips * clipSeconds) / cutSpeed : clipSeconds / speed;
		const at = work.startAt + (work.reported - work.from + 1) * each;
		this.#agenda.add(Math.max(this.#now, at), () =>
			isCut ? this.#groupCut(worker, work) : this.#clipDone(worker, work),
		);
	}

	#groupCut(worker: SimWorker, work: Work): void {
		if (work.isOver || worker.state === 'down') return;
		if (worker.state !== 'up') {
			this.#agenda.add(worker.since, () => this.#groupCut(worker, work));
			return;
		}
		const { unit } = work;
		const clips = Math.min(groupClips, unit.clips - work.reported * groupClips);
		const start = work.reported * groupClips * clipSeconds;
		const group = { group: work.reported, start, end: start + clips * clipSeconds, clips, blob: blob() };
		const after = withGroup(unit.record, work.number, group, undefined);
		if (after === null) {
			this.#counts.fenced++;
			this.#end(worker, work);
			return;
		}
		unit.record = after.whole;
		this.#counts.groups++;
		this.#queue(after.group, { job: unit.job, clips, groups: 0 });
		work.reported++;
		this.#release(unit.unit.model);
		if (work.reported < unit.groups) this.#nextClip(worker, work);
		else this.#finish(worker, work);
		this.#dispatch();
	}

	#clipDone(worker: SimWorker, work: Work): void {
		if (work.isOver || worker.state === 'down') return;
		// What a paused or cut off worker has to report waits until it can.
		if (worker.state !== 'up') {
			this.#agenda.add(worker.since, () => this.#clipDone(worker, work));
			return;
		}
		const { unit } = work;
		const clip = { clip: work.reported, processed: (work.reported + 1) * clipSeconds };
		const after = checkpointed(unit.record, work.number, clip);
		if (after === null) {
			this.#counts.fenced++;
			this.#counts.repeatedSeconds += clipSeconds;
			this.#end(worker, work);
			return;
		}
		if (after.clips !== unit.record.clips + 1) this.#counts.disorder++;
		unit.record = after;
		work.reported++;
		if (work.reported < unit.clips) this.#nextClip(worker, work);
		else this.#finish(worker, work);
	}

	#finish(worker: SimWorker, work: Work): void {
		const { unit } = work;
		const wasDone = unit.record.stage === 'done';
		const name = unit.groups > 0 || unit.unit.part > 0 ? `part-${unit.unit.part}.json` : 'result.json';
		const after = completed(unit.record, work.number, blob(`${unit.unit.jobId}/${name}`));
		this.#end(worker, work);
		if (after === null) {
			this.#counts.fenced++;
			return;
		}
		if (wasDone) this.#counts.doubleResults++;
		unit.record = after;
		unit.isInTransport = false;
		this.#leave(unit);
		this.#tenantsDone.set(unit.unit.tenant, this.#now);
		this.#settle(unit.job);
		this.#release(unit.unit.model);
		this.#dispatch();
	}

	/** As a worker does when it learns of the end of a unit. */
	#settle(job: SimJob): void {
		const [whole, ...groups] = job.units;
		const states = job.units.map(({ unit: { part }, record: { stage, result } }) =>
			stage === 'done' && result
				? ({ part, state: 'done', result } as const)
				: ({ part, state: 'waiting' } as const),
		);
		if (finishedUnits({ id: whole!.unit.jobId }, states) === undefined) return;
		let end = groups.length === 0 ? job.length : 0;
		for (const { unit } of groups) end = unit.group?.start === end ? unit.group.end : Number.NaN;
		if (job.hasEnded || end !== job.length) this.#counts.wrongEnds++;
		job.hasEnded = true;
		this.#counts.done++;
		this.#open--;
	}

	#end(worker: SimWorker, work: Work): void {
		work.isOver = true;
		worker.works.delete(work);
		if (work.unit.lockedBy?.work === work) work.unit.lockedBy = undefined;
		if (worker.works.size === 0) worker.idleSince = this.#now;
		if (worker.state === 'up') this.#idle.add(worker);
	}

	/** What is locked by one who says nothing is delivered again. */
	#findStalled(): void {
		for (const model of models) {
			for (const unit of this.#underWay.get(model)!) {
				const holder = unit.lockedBy;
				if (holder === undefined) continue;
				const { worker } = holder;
				const isSilent = worker.state === 'down' || worker.state === 'paused' || worker.state === 'cut-off';
				const silentSince = unit.lostAt ?? this.#now;
				if (!isSilent || this.#now - silentSince < lock) continue;
				unit.lockedBy = undefined;
				this.#slowestNotice = Math.max(this.#slowestNotice, this.#now - silentSince);
				this.#ready.get(model)!.unshift(unit);
			}
		}
		this.#dispatch();
		this.#agenda.add(this.#now + stalledEvery, () => this.#findStalled());
	}

	// ---- trouble ---------------------------------------------------------------------------------------

	#noteCapacity(change: number): void {
		const more = (this.#now - this.#capacityAt) * this.#aliveSlots * speed;
		if (this.#ideal === undefined && this.#capacity + more >= this.#totalSeconds)
			this.#ideal = this.#capacityAt + (this.#totalSeconds - this.#capacity) / (this.#aliveSlots * speed);
		this.#capacity += more;
		this.#capacityAt = this.#now;
		this.#aliveSlots += change;
	}

	#lose(worker: SimWorker): void {
		for (const work of worker.works) if (work.unit.lockedBy?.work === work) work.unit.lostAt = this.#now;
	}

	#kill(worker: SimWorker): void {
		if (worker.state !== 'up') return;
		this.#noteCapacity(-slots);
		worker.state = 'down';
		this.#idle.delete(worker);
		this.#lose(worker);
		for (const work of worker.works) {
			work.isOver = true;
			if (work.unit.groups > 0) continue;
			this.#counts.repeatedSeconds += Math.min(clipSeconds, Math.max(0, this.#now - work.startAt) * speed);
		}
		worker.works.clear();
		worker.loaded.clear();
		this.#agenda.add(this.#now + 30, () => {
			this.#noteCapacity(slots);
			worker.state = 'up';
			worker.idleSince = this.#now;
			this.#idle.add(worker);
		});
	}

	#silence(worker: SimWorker, how: 'paused' | 'cut-off', seconds: number): void {
		if (worker.state !== 'up') return;
		this.#noteCapacity(-slots);
		worker.state = how;
		worker.since = this.#now + seconds;
		this.#idle.delete(worker);
		this.#lose(worker);
		this.#agenda.add(worker.since, () => {
			this.#noteCapacity(slots);
			worker.state = 'up';
			this.#idle.add(worker);
			for (const work of worker.works) {
				if (work.unit.lockedBy?.work === work) work.unit.lostAt = undefined;
				if (how === 'paused') work.startAt += seconds;
			}
		});
	}
}
