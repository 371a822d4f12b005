/** Whether the default model can serve requests, for `GET /health` and `GET /ready`. Pure. */

import { earshot } from '../core/command-line.js';
import type { ErrorCode } from '../core/errors.js';
import type { LoadState } from '../core/speech/model-info.js';

export interface Readiness {
	/**
	 * `loading`: the model is being loaded for the first time. `degraded`: it cannot be loaded, or its process misses
	 * heartbeats. `ok`: otherwise, also before a load on the first request.
	 */
	readonly status: 'ok' | 'loading' | 'degraded';
	/** Cause of `degraded`; contains no paths, since the endpoint is public. */
	readonly reason?: string;
}

/** The state of the default model. */
export interface DefaultModelFacts {
	readonly id: string;
	/** `mistake`: its entry in models.yaml is invalid. `missing`: its files are not on this machine. */
	readonly absence: 'mistake' | 'missing' | undefined;
	readonly state: LoadState | 'unresponsive';
	/** Whether the model was loaded at least once, so that a reload is likely to succeed. */
	readonly hasLoaded: boolean;
	/** Error code of the last load; undefined after a successful one. */
	readonly failure: ErrorCode | undefined;
}

export function readinessOf({ id, absence, state, hasLoaded, failure }: DefaultModelFacts): Readiness {
	const degraded = (why: string): Readiness => ({
		status: 'degraded',
		reason: `The default model \`${id}\` ${why}`,
	});
	if (state === 'loaded') return { status: 'ok' };
	if (state === 'unresponsive') return degraded('does not respond; its process will be replaced soon');
	if (absence === 'mistake')
		return degraded(`has a mistake in models.yaml; the log and \`${earshot('list')}\` name line and field`);
	if (absence === 'missing')
		return degraded(
			`is in models.yaml, but its files are not on this machine; \`${earshot('list')}\` says what to do`,
		);
	if (state === 'backoff') return degraded('is in crash backoff, since its process keeps crashing');
	if (failure !== undefined) return degraded(`could not be loaded (${failure}); the log says why`);
	return { status: state === 'loading' && !hasLoaded ? 'loading' : 'ok' };
}
