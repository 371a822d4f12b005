/** The HTTP protocol between gateways and workers. */

import type { WireError } from '../../core/errors.js';
import type { TranscriptEvent } from '../../core/speech/transcript.js';

/** A worker rejects requests with another version. */
export const clusterProtocol = 1;

export const clusterPaths = {
	/** The body is the options, then the recording; the reply is NDJSON, one `WorkerReply` per line. */
	transcribe: '/cluster/v1/transcribe',
	/** Loads a model, and returns its description. */
	load: '/cluster/v1/load',
	unload: '/cluster/v1/unload',
} as const;

/** Length of the options, which precede the recording in the body, bytes. */
export const optionsHeader = 'x-earshot-options-bytes';
export const protocolHeader = 'x-earshot-cluster-protocol';

/** The options contain prompts, references of known speakers and all enrolled voices, of 4 kB each. */
export const maxOptionsBytes = 64 << 20;

export type WorkerReply =
	| { readonly event: TranscriptEvent }
	| { readonly error: WireError }
	/** Heartbeat. */
	| { readonly alive: true };

export const aliveEveryMs = 5000;
