/** What a gateway and a worker say to each other over HTTP. */

import type { WireError } from '../../errors.js';
import type { ModelInfo } from '../../speech/model-info.js';
import type { TranscriptEvent } from '../../speech/transcript.js';

/** A worker refuses messages of another one. */
export const clusterProtocol = 1;

export const clusterPaths = {
	/** The recording is the body; the answer is a `WorkerReply` on each line. */
	transcribe: '/cluster/v1/transcribe',
	/** Loads a model, and tells what it is. */
	load: '/cluster/v1/load',
	unload: '/cluster/v1/unload',
} as const;

/** How long the options are, which come before the recording, bytes. */
export const optionsHeader = 'x-earshot-options-bytes';
export const protocolHeader = 'x-earshot-cluster-protocol';

/** Prompts, references of known speakers, and all enrolled voices are in them: 4 kB each, of as many as there can be. */
export const maxOptionsBytes = 64 << 20;

export type WorkerReply =
	| { readonly info: ModelInfo }
	| { readonly event: TranscriptEvent }
	| { readonly error: WireError }
	/** Nothing has happened; it is there. */
	| { readonly alive: true };

export const aliveEveryMs = 5000;
