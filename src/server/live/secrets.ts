/** Client secrets: short-lived keys for live sessions, which a program creates for its web pages or devices. */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.js';
import { EarshotError } from '../../core/errors.js';
import type { SessionConfig } from './protocol/events.js';

export interface ClientSecret {
	readonly value: string;
	/** Unix seconds. */
	readonly expiresAt: number;
	/** Initial configuration of the sessions that it opens. */
	readonly config: SessionConfig;
}

interface Kept extends ClientSecret {
	/** Expiry by `clock`, ms. */
	readonly untilMs: number;
	/** Of the configuration as JSON. */
	readonly characters: number;
}

const maxSecrets = 10_000;

/** Bounds the memory of all configurations: their texts come from clients. */
const maxCharacters = 1 << 24;

export class ClientSecrets {
	readonly #clock: Clock;
	readonly #secrets = new Map<string, Kept>();
	/** Earliest expiry of all secrets. */
	#nextExpiryMs = Number.POSITIVE_INFINITY;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Throws `overloaded`. */
	make(config: SessionConfig, seconds: number): ClientSecret {
		this.#dropExpired();
		const { length: characters } = JSON.stringify(config);
		const all = [...this.#secrets.values()].reduce((sum, each) => sum + each.characters, characters);
		if (this.#secrets.size >= maxSecrets || all > maxCharacters)
			throw new EarshotError(
				'overloaded',
				`There are ${this.#secrets.size} client secrets that have not expired; try again in 10 s`,
				{
					retryAfterSeconds: 10,
				},
			);
		const secret = {
			value: `ek_${randomBytes(24).toString('base64url')}`,
			expiresAt: Math.floor(Date.now() / 1000) + seconds,
			untilMs: this.#clock.now() + seconds * 1000,
			config,
			characters,
		};
		this.#secrets.set(secret.value, secret);
		this.#nextExpiryMs = Math.min(this.#nextExpiryMs, secret.untilMs);
		return secret;
	}

	/** The secret among these keys, unless it has expired. */
	find(keys: readonly string[]): ClientSecret | undefined {
		this.#dropExpired();
		for (const key of keys) {
			const found = this.#secrets.get(key);
			if (found) return found;
		}
		return undefined;
	}

	#dropExpired(): void {
		const now = this.#clock.now();
		if (now < this.#nextExpiryMs) return;
		for (const [value, { untilMs }] of this.#secrets) if (untilMs <= now) this.#secrets.delete(value);
		this.#nextExpiryMs = [...this.#secrets.values()].reduce(
			(soonest, { untilMs }) => Math.min(soonest, untilMs),
			Number.POSITIVE_INFINITY,
		);
	}
}
