/** Limits concurrent attempts, so that a slow receiver delays only its own deliveries. */

/** The owner and receiver of an attempt. */
export interface LaneUser {
	/** Host and port of the receiver. */
	readonly place: string;
	readonly owner: string;
}

export interface LaneLimits {
	readonly total: number;
	readonly perOwner: number;
	readonly perPlace: number;
}

const usualLimits: LaneLimits = { total: 64, perOwner: 16, perPlace: 4 };

export class TryLanes {
	readonly #limits: LaneLimits;
	readonly #users = new Set<LaneUser>();

	constructor(limits: LaneLimits = usualLimits) {
		this.#limits = limits;
	}

	/** Takes a lane, and returns the function that releases it; undefined if none is free for this owner and
	 * receiver. */
	take({ place, owner }: LaneUser): (() => void) | undefined {
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
