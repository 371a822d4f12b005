/** Limits live sessions: how many there are, and how much work they are for their model. */

import type { Clock } from '../../../clock.js';
import { EarshotError } from '../../../errors.js';
import type { Metrics } from '../../../metrics.js';

export interface LiveAdmissionOptions {
	/** Sessions at a time; 0 = none. */
	readonly maxSessions: number;
	/** Turns that a model can work on at a time without slowing each other down: the cores. */
	readonly slots: number;
	readonly metrics: Metrics;
	readonly clock: Clock;
}

/** Sessions that one API key may have at a time. */
const maxSessionsOfKey = 8;

/** Share of a model's slots that its sessions may keep busy: beyond it, turns that end at the same time wait long. */
const maxLoad = 0.7;

/** Work this long ago counts half. */
const halfLifeMs = 30_000;

/** A place may be free again as soon as somebody stops talking. */
const retryAfterSeconds = 5;

/** The load that one session more would make, as a share of the slots. Pure. `msPerMs`: time worked per time passed, for
 * the sessions that there are. */
export function predictedLoad(msPerMs: number, sessions: number, slots: number): number {
	return sessions === 0 ? 0 : (msPerMs * (sessions + 1)) / sessions / slots;
}

export class LiveAdmission {
	readonly #options: LiveAdmissionOptions;
	readonly #places = new Set<LivePlace>();
	readonly #work = new Map<string, RecentWork>();

	constructor(options: LiveAdmissionOptions) {
		this.#options = options;
		options.metrics.onScrape(() => {
			for (const model of this.#work.keys()) options.metrics.liveSessions(model, this.#of(model).length);
		});
	}

	/** Throws `overloaded`. `model`: the one it begins with; `key`: the API key that it came with, '' = none. */
	admit(model: string, key: string): LivePlace {
		const { maxSessions, slots, clock, metrics } = this.#options;
		const refuse = (what: string): never => {
			metrics.refused(model, 'live');
			throw new EarshotError('overloaded', `${what}; try again in ${retryAfterSeconds} s`, {
				retryAfterSeconds,
			});
		};
		if (this.#places.size >= maxSessions)
			refuse(`This server has ${this.#places.size} live sessions, as many as it allows`);
		const ofKey = [...this.#places].filter((place) => key !== '' && place.key === key);
		if (ofKey.length >= maxSessionsOfKey)
			refuse(`This API key has ${ofKey.length} live sessions, as many as it may have`);
		const load = predictedLoad(this.#workOf(model).msPerMs(clock.now()), this.#of(model).length, slots);
		if (load > maxLoad)
			refuse(`The live sessions of the model \`${model}\` keep it as busy as it can be without delays`);
		const place = new LivePlace(key, model, {
			worked: (ms, by) => this.#workOf(by).add(ms, clock.now()),
			left: (gone) => this.#places.delete(gone),
		});
		this.#places.add(place);
		return place;
	}

	#of(model: string): LivePlace[] {
		return [...this.#places].filter((place) => place.model === model);
	}

	#workOf(model: string): RecentWork {
		const known = this.#work.get(model) ?? new RecentWork();
		this.#work.set(model, known);
		return known;
	}
}

interface PlaceListener {
	readonly worked: (ms: number, model: string) => void;
	readonly left: (place: LivePlace) => void;
}

/** The place of an admitted session. */
export class LivePlace {
	readonly key: string;
	/** Changes when the session changes its model. */
	model: string;
	readonly #listener: PlaceListener;

	constructor(key: string, model: string, listener: PlaceListener) {
		this.key = key;
		this.model = model;
		this.#listener = listener;
	}

	/** Its model has worked for it, milliseconds. */
	worked(ms: number): void {
		this.#listener.worked(ms, this.model);
	}

	/** Safe to call twice. */
	leave(): void {
		this.#listener.left(this);
	}
}

class RecentWork {
	#ms = 0;
	#atMs = 0;

	add(ms: number, nowMs: number): void {
		this.#ms = this.#at(nowMs) + ms;
		this.#atMs = nowMs;
	}

	/** Time worked per time passed, recently. */
	msPerMs(nowMs: number): number {
		return (this.#at(nowMs) * Math.LN2) / halfLifeMs;
	}

	#at(nowMs: number): number {
		return this.#ms * 0.5 ** ((nowMs - this.#atMs) / halfLifeMs);
	}
}
