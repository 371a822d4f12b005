/** Whether the default model can answer, for `GET /health` and `GET /ready`. Pure. */

import { earshot } from '../command-line.js';
import type { ErrorCode } from '../errors.js';
import type { LoadState } from '../speech/model-info.js';

export interface Readiness {
	/**
	 * `loading`: it is being loaded for the first time. `degraded`: it cannot be loaded, or gives no sign of life. `ok`
	 * otherwise, also where it is loaded on its first request.
	 */
	readonly status: 'ok' | 'loading' | 'degraded';
	/** With `degraded`: why, without paths, since anybody may ask. */
	readonly reason?: string;
}

/** What is known of the default model. */
export interface DefaultModelFacts {
	readonly id: string;
	/** Why its entry in models.yaml cannot be served, or its files are not on this machine. */
	readonly absence: 'mistake' | 'missing' | undefined;
	readonly state: LoadState | 'unresponsive';
	/** It was loaded at least once, so it can be loaded again. */
	readonly hasLoaded: boolean;
	/** Code of the error of its last load, unless a later one succeeded. */
	readonly failure: ErrorCode | undefined;
}

export function readinessOf({ id, absence, state, hasLoaded, failure }: DefaultModelFacts): Readiness {
	const degraded = (why: string): Readiness => ({
		status: 'degraded',
		reason: `The default model \`${id}\` ${why}`,
	});
	if (state === 'loaded') return { status: 'ok' };
	if (state === 'unresponsive') return degraded('gives no sign of life; its process is replaced soon');
	if (absence === 'mistake')
		return degraded(`has a mistake in models.yaml; the log and \`${earshot('list')}\` name line and field`);
	if (absence === 'missing')
		return degraded(
			`is in models.yaml, but its files are not on this machine; \`${earshot('list')}\` says what to do`,
		);
	if (state === 'backoff') return degraded('is left alone for a while, since its process keeps crashing');
	if (failure !== undefined) return degraded(`could not be loaded (${failure}); the log says why`);
	return { status: state === 'loading' && !hasLoaded ? 'loading' : 'ok' };
}
