/** Releases units of all tenants in turn, slightly more than the workers have slots for, and requeues units that
 * the transport has lost. */

import type { Clock } from '../core/clock.js';
import { FairLines, maxReleasedUnits } from './core/fair-lines.js';
import { asUnitRecord, released } from './core/unit-record.js';
import { objectIn } from './records/objects.js';
import { changeRecord, everything, type Records } from './records/records.js';
import { Role } from './role.js';
import type { Transport, UnitName } from './transport/transport.js';
import {
	changeOf,
	demandRecord,
	heldIndex,
	heldTopic,
	modelsIndex,
	orphanOf,
	readMember,
	readMembers,
	recordOfUnit,
	releasedIndex,
	releasedTopic,
	type UnitMember,
	waitingIndex,
} from './unit-keys.js';

export interface ReleaserOptions {
	readonly records: Records;
	readonly transport: Transport;
	readonly clock: Clock;
	/** Slots of all workers that serve the model. */
	readonly slotsFor: (model: string) => Promise<number>;
	readonly onError: (error: unknown) => void;
}

const pollIntervalMs = 1000;

/** A unit that has been under way for this long but is unknown to the transport was lost between the records and
 * the transport. */
const lostAfterMs = 15_000;

/** Every process may create one; only the holder of the role `releaser` does the work. */
export class Releaser {
	readonly #options: ReleaserOptions;
	readonly #role: Role;
	readonly #lines = new Map<string, FairLines>();
	readonly #stop: (() => void)[] = [];
	/** Models that are being released now; true if a notification came in the meantime. */
	readonly #busy = new Map<string, boolean>();
	#isClosed = false;

	constructor(options: ReleaserOptions) {
		this.#options = options;
		const { records, clock, onError } = options;
		this.#role = new Role('releaser', {
			records,
			clock,
			onError,
			onTaken: () => void this.#poll().catch(onError),
		});
		this.#stop.push(clock.every(pollIntervalMs, () => void this.#poll().catch(onError)));
		void this.#listen().catch(onError);
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		for (const stop of this.#stop) stop();
		await this.#role.close();
	}

	async #listen(): Promise<void> {
		const stop = await this.#options.records.subscribe(heldTopic, (model) => {
			if (this.#role.isHeldHere) void this.#release(model).catch(this.#options.onError);
		});
		if (this.#isClosed) stop();
		else this.#stop.push(stop);
	}

	async #poll(): Promise<void> {
		if (!this.#role.isHeldHere || this.#isClosed) return;
		const models = await this.#options.records.between(modelsIndex, ...everything);
		const demand: Record<string, number> = {};
		for (const { member: model } of models) {
			try {
				await this.#findLost(model);
				await this.#release(model);
				demand[model] = await this.#waitingSeconds(model);
			} catch (thrown) {
				this.#options.onError(thrown);
			}
		}
		await this.#options.records.commit({ put: { [demandRecord]: JSON.stringify(demand) } });
	}

	async #waitingSeconds(model: string): Promise<number> {
		const waiting = await this.#options.records.between(waitingIndex(model), ...everything);
		return readMembers(waiting).reduce((sum, { seconds }) => sum + seconds, 0);
	}

	/** Runs one release at a time per model; a notification during a release causes another one afterwards. */
	async #release(model: string): Promise<void> {
		if (this.#busy.has(model)) {
			this.#busy.set(model, true);
			return;
		}
		try {
			do {
				this.#busy.set(model, false);
				await this.#releaseNow(model);
			} while (this.#busy.get(model) === true && !this.#isClosed);
		} finally {
			this.#busy.delete(model);
		}
	}

	async #releaseNow(model: string): Promise<void> {
		const { records, transport, slotsFor } = this.#options;
		const lines = await this.#linesOf(model);
		if (lines.size === 0) return;
		const slots = await slotsFor(model);
		const released = readMembers(await records.between(releasedIndex(model), ...everything));
		const byTenant = new Map<string, number>();
		const add = ({ tenant }: Pick<UnitMember, 'tenant'>) =>
			byTenant.set(tenant, (byTenant.get(tenant) ?? 0) + 1);
		for (const unit of released) add(unit);
		const tenants = new Set([...byTenant.keys(), ...lines.tenants()]).size;
		const maxPerTenant = maxReleasedUnits(slots, tenants);
		for (let free = slots + 2 - released.length; free > 0 && !this.#isClosed; ) {
			const next = lines.next((tenant) => (byTenant.get(tenant) ?? 0) >= maxPerTenant);
			if (next === undefined) return;
			const unit = readMember(next.key);
			if (unit === undefined) continue;
			if (!(await this.#releaseOne(unit))) {
				await this.#removeOrphan(model, next.key, unit);
				continue;
			}
			free--;
			add(unit);
			await transport.add({ ...unit, model });
			await records.commit({ publish: [{ topic: releasedTopic, message: model }] });
		}
	}

	async #linesOf(model: string): Promise<FairLines> {
		const lines = this.#lines.get(model) ?? new FairLines();
		this.#lines.set(model, lines);
		const held = await this.#options.records.between(heldIndex(model), ...everything);
		const heldMembers = new Set(held.map(({ member }) => member));
		for (const key of [...lines.keys()]) if (!heldMembers.has(key)) lines.remove(key);
		for (const key of heldMembers) {
			if (lines.has(key)) continue;
			const unit = readMember(key);
			if (unit === undefined) continue;
			const { class: priority, tenant, seconds, jobId, part } = unit;
			// From now on the groups are charged to the tenant instead of the whole recording.
			if (part === 1) lines.putBack({ class: priority, tenant, seconds: await this.#wholeSeconds(jobId) });
			lines.add({ key, class: priority, tenant, seconds });
		}
		return lines;
	}

	async #wholeSeconds(jobId: string): Promise<number> {
		const [found] = await this.#options.records.get([recordOfUnit({ jobId, part: 0 })]);
		return asUnitRecord(objectIn(found))?.unit.seconds ?? 0;
	}

	/** False: the unit was cancelled, or another process released it first. */
	async #releaseOne(unit: UnitMember): Promise<boolean> {
		const isReleased = await changeRecord(this.#options.records, recordOfUnit(unit), (found) => {
			const record = asUnitRecord(objectIn(found));
			const after = record && released(record);
			if (!record || !after) return undefined;
			return { commit: changeOf(record.unit, record, after), value: true };
		});
		return isReleased === true;
	}

	async #findLost(model: string): Promise<void> {
		const { records, transport } = this.#options;
		const until = (await records.now()) - lostAfterMs;
		const old = await records.between(releasedIndex(model), 0, until, 1000);
		for (const unit of readMembers(old)) {
			if (await transport.has({ ...unit, model })) continue;
			const [found] = await records.get([recordOfUnit(unit)]);
			const stage = asUnitRecord(objectIn(found))?.stage;
			if (stage !== 'released' && stage !== 'leased') {
				await this.#removeOrphan(model, unit.member, unit);
				continue;
			}
			await transport.add({ ...unit, model });
			await records.commit({ publish: [{ topic: releasedTopic, message: model }] });
		}
	}

	/** Removes index entries without a matching record, which would otherwise count as waiting or under way forever. */
	async #removeOrphan(model: string, member: string, unit: UnitName): Promise<void> {
		await changeRecord(this.#options.records, recordOfUnit(unit), (found) => ({
			commit: { index: orphanOf(model, member, asUnitRecord(objectIn(found))) },
			value: true,
		}));
	}
}
