/** Limits live sessions: their number, and the load on their model. */

import type { Clock } from '../../../core/clock.js';
import { EarshotError } from '../../../core/errors.js';
import type { Metrics } from '../../../core/metrics.js';
import { SessionLoad } from './session-load.js';

export interface LiveAdmissionOptions {
	/** Maximum concurrent sessions; 0 = no session is admitted. */
	readonly maxSessions: number;
	readonly metrics: Metrics;
	readonly clock: Clock;
}

/** Maximum concurrent sessions of one API key. */
const maxSessionsOfKey = 8;

/** Maximum share of a model's time for live sessions: above it, turns that end at the same time wait long. */
const maxLoad = 0.7;

/** Short, since any session may end soon. */
const retryAfterSeconds = 5;

/** Predicted share of a model's time with one more session. `shares`: of the sessions with a known share; `sessions`:
 * the number of all sessions. Sessions with an unknown share count as the mean. Pure. */
export function predictedLoad(shares: readonly number[], sessions: number): number {
	if (shares.length === 0) return 0;
	return (shares.reduce((sum, share) => sum + share, 0) / shares.length) * (sessions + 1);
}

export class LiveAdmission {
	readonly #options: LiveAdmissionOptions;
	readonly #places = new Set<LivePlace>();
	/** Models that the metrics report, including those without a session now. */
	readonly #models = new Set<string>();

	constructor(options: LiveAdmissionOptions) {
		this.#options = options;
		options.metrics.onScrape(() => {
			for (const model of this.#models) options.metrics.liveSessions(model, this.#of(model).length);
		});
	}

	/** Throws `overloaded`. `model`: the initial model's id; `key`: the session's owner, '' = no limit per key. */
	admit(model: string, key: string): LivePlace {
		const { maxSessions, clock, metrics } = this.#options;
		const refuse = (what: string): never => {
			metrics.refused(model, 'live');
			throw new EarshotError('overloaded', `${what}; try again in ${retryAfterSeconds} s`, {
				retryAfterSeconds,
			});
		};
		const { size } = this.#places;
		if (size >= maxSessions)
			refuse(`This server has ${size} live session${size === 1 ? '' : 's'}, as many as it allows`);
		const ofKey = [...this.#places].filter((place) => key !== '' && place.key === key);
		if (ofKey.length >= maxSessionsOfKey)
			refuse(`This API key has ${ofKey.length} live sessions, as many as it may have`);
		const others = this.#of(model);
		const shares = others.flatMap((place) => place.share ?? []);
		if (predictedLoad(shares, others.length) > maxLoad)
			refuse(`The live sessions of the model \`${model}\` keep it as busy as it can be without delays`);
		const place = new LivePlace({
			key,
			model,
			clock,
			onModel: (id) => this.#models.add(id),
			onReleased: (gone) => this.#places.delete(gone),
		});
		this.#places.add(place);
		return place;
	}

	#of(model: string): LivePlace[] {
		return [...this.#places].filter((place) => place.model === model);
	}
}

interface PlaceOptions {
	readonly key: string;
	readonly model: string;
	readonly clock: Clock;
	readonly onModel: (model: string) => void;
	readonly onReleased: (place: LivePlace) => void;
}

/** The place of an admitted session, which counts towards the limits until `leave`. */
export class LivePlace {
	readonly key: string;
	readonly #options: PlaceOptions;
	#model: string;
	#load: SessionLoad;

	constructor(options: PlaceOptions) {
		const { key, model, clock, onModel } = options;
		this.#options = options;
		this.key = key;
		this.#model = model;
		this.#load = new SessionLoad(clock.now());
		onModel(model);
	}

	get model(): string {
		return this.#model;
	}

	/** Changes the session's model. */
	set model(model: string) {
		if (model === this.#model) return;
		this.#model = model;
		this.#load = new SessionLoad(this.#options.clock.now());
		this.#options.onModel(model);
	}

	/** Share of its model's time; undefined if not yet known (see `SessionLoad`). */
	get share(): number | undefined {
		return this.#load.share(this.#options.clock.now());
	}

	/** Records audio that the model has processed, and the model time used for it. */
	recordLoad(audioMs: number, busyMs: number): void {
		this.#load.add(audioMs, busyMs, this.#options.clock.now());
	}

	/** Safe to call twice. */
	leave(): void {
		this.#options.onReleased(this);
	}
}
