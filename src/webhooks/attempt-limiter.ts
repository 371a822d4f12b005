/** Limits concurrent attempts, so that a slow receiver delays only its own deliveries. */

/** The owner and receiver of an attempt. */
export interface AttemptUser {
	/** Host and port of the receiver. */
	readonly place: string;
	readonly owner: string;
}

export interface AttemptLimits {
	readonly total: number;
	readonly perOwner: number;
	readonly perPlace: number;
}

const defaultLimits: AttemptLimits = { total: 64, perOwner: 16, perPlace: 4 };

export class AttemptLimiter {
	readonly #limits: AttemptLimits;
	readonly #users = new Set<AttemptUser>();

	constructor(limits: AttemptLimits = defaultLimits) {
		this.#limits = limits;
	}

	/** Reserves an attempt, and returns the function that releases it; undefined if none is free for this owner and
	 * receiver. */
	take({ place, owner }: AttemptUser): (() => void) | undefined {
		const user = { place, owner };
		const users = [...this.#users];
		const isFree =
			users.length < this.#limits.total &&
			users.filter((each) => each.owner === owner).length < this.#limits.perOwner &&
			users.filter((each) => each.place === place).length < this.#limits.perPlace;
		if (!isFree) return undefined;
		this.#users.add(user);
		return () => void this.#users.delete(user);
	}
}
