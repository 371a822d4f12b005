/** A role that one process of a cluster holds at a time. Two may hold it briefly, so its work must tolerate that. */

import { randomUUID } from 'node:crypto';
import type { Clock } from '../core/clock.js';
import { objectIn } from './records/objects.js';
import { changeRecord, type Records } from './records/records.js';

interface Holder {
	readonly owner: string;
	/** SeenHeartbeat counter. */
	readonly beat: number;
}

const beatEveryMs = 2000;
/** A holder without a heartbeat for this long loses the role. Measured by the local clock, since clocks of
 * machines differ. */
const lostAfterMs = 6000;

/** The last heartbeat seen from another holder: the value of its record, and when it was first seen, by the local
 * clock. */
export interface SeenHeartbeat {
	readonly beat: string;
	readonly atMs: number;
}

/** Whether the role is free: it has no holder, or the holder's heartbeats have stopped. Pure. */
export function isFree(
	holder: string | undefined,
	lastSeen: SeenHeartbeat | undefined,
	nowMs: number,
): boolean {
	if (holder === undefined) return true;
	return lastSeen !== undefined && lastSeen.beat === holder && nowMs - lastSeen.atMs >= lostAfterMs;
}

export class Role {
	readonly #records: Records;
	readonly #clock: Clock;
	readonly #key: string;
	readonly #owner = randomUUID();
	readonly #stop: () => void;
	readonly #onError: (error: unknown) => void;
	readonly #onTaken: () => void;
	#lastSeen: SeenHeartbeat | undefined;
	#has = false;
	#isClosed = false;

	constructor(
		name: string,
		options: {
			readonly records: Records;
			readonly clock: Clock;
			readonly onTaken: () => void;
			readonly onError: (error: unknown) => void;
		},
	) {
		this.#records = options.records;
		this.#clock = options.clock;
		this.#onTaken = options.onTaken;
		this.#onError = options.onError;
		this.#key = `role:${name}`;
		this.#stop = options.clock.every(beatEveryMs, () => void this.#beat());
		void this.#beat();
	}

	get isHeldHere(): boolean {
		return this.#has;
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		this.#stop();
		await this.#giveUp();
	}

	async #giveUp(): Promise<void> {
		if (!this.#has) return;
		this.#has = false;
		await changeRecord(this.#records, this.#key, (found) => {
			const isOurs = objectIn(found)?.owner === this.#owner;
			return isOurs ? { commit: { remove: [this.#key] }, value: true } : undefined;
		}).catch(this.#onError);
	}

	async #beat(): Promise<void> {
		if (this.#isClosed) return;
		try {
			const had = this.#has;
			this.#has = await this.#take();
			// `close` was called while the request was running.
			if (this.#isClosed) await this.#giveUp();
			else if (this.#has && !had) this.#onTaken();
		} catch (thrown) {
			this.#has = false;
			this.#onError(thrown);
		}
	}

	async #take(): Promise<boolean> {
		const taken = await changeRecord(this.#records, this.#key, (found) => {
			const holder = objectIn(found) as Partial<Holder> | undefined;
			const now = this.#clock.now();
			if (holder?.owner !== this.#owner && !isFree(found?.value, this.#lastSeen, now)) {
				if (this.#lastSeen?.beat !== found?.value) this.#lastSeen = { beat: found?.value ?? '', atMs: now };
				return undefined;
			}
			const value = JSON.stringify({ owner: this.#owner, beat: (holder?.beat ?? 0) + 1 } satisfies Holder);
			return { commit: { put: { [this.#key]: value } }, value: true };
		});
		return taken === true;
	}
}
