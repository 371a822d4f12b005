/** The pool's interface, as used by the server and the command; tests use a fake. */

import type { LiveTranscriber } from '../live/live.js';
import type { Capabilities, LoadState, ModelInfo } from '../speech/model-info.js';
import type { Cutter, Transcriber } from '../speech/transcriber.js';
import type { Readiness } from './readiness.js';

export interface ListedModel {
	readonly id: string;
	/** Other names that requests may use. */
	readonly aliases: readonly string[];
	/** The `type` of models.yaml. */
	readonly type: string;
	/** When the files were installed on this machine, Unix seconds. */
	readonly created: number;
	readonly ownedBy: string;
	/** `unresponsive`: loaded, at work, and without a sign of life; its process is killed when that goes on. */
	readonly state: LoadState | 'unresponsive';
	/** What it can do; null = not known before it is loaded. */
	readonly capabilities: Capabilities | null;
	/** It transcribes while it hears, chunk by chunk. */
	readonly hearsLive: boolean;
	/** The bundled demo model, which recognizes digits only. */
	readonly demo: boolean;
	/** Process id of its runner; null when none is running. */
	readonly pid: number | null;
	/** Resident memory of its runner, as last reported; 0 when none is running. */
	readonly memoryBytes: number;
	/** Requests in progress. */
	readonly requests: number;
	/** Time since its last request; null while it is in use or not loaded. */
	readonly idleMs: number | null;
	/** Time until it is unloaded if no request comes; null = it will not be. */
	readonly unloadsInMs: number | null;
}

/** A loaded model for one request or live session: it stays loaded until released. `cut` is there where the model is on this
 * machine. */
export interface Lease extends Transcriber, LiveTranscriber, Partial<Cutter> {
	/** Safe to call twice. */
	release(): void;
}

export interface ModelPool {
	readonly models: readonly ListedModel[];
	/** Used when a request names no model. */
	readonly defaultModel: string;
	/** Id of the model that tells who speaks when; undefined if none is installed. */
	readonly diarizer: string | undefined;
	/** Whether the default model can answer. While it cannot be loaded, asking tries again every half minute. */
	checkReadiness(): Readiness;
	/** The id of the model that a name means. Throws `model_not_found`, whose message says what to do, and
	 * `config_invalid` for an entry of models.yaml with a mistake. */
	idOf(name: string): string;
	/** Resolves an id or alias and loads the model if needed; concurrent callers share one load.
	 * Throws `model_not_found`, `model_load_failed`, `engine_missing`, `model_backoff`, `model_too_large`, `out_of_memory`
	 * when there is no memory for it now, `cancelled`, `closed`. */
	lease(model: string, signal: AbortSignal): Promise<Lease>;
	/** Loads the model ahead of requests, also during its crash backoff. Its keep-alive counts as after a request. Throws
	 * like `lease`. */
	load(model: string, signal: AbortSignal): Promise<ModelInfo>;
	/** Ends the model's process once its last request has finished. Resolves when it has ended, at once if the model is
	 * not loaded. Throws `model_not_found`. */
	unload(model: string): Promise<void>;
	/** Cancels running requests and ends every runner. */
	close(): Promise<void>;
}
