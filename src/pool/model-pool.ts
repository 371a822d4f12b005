/** The pool's interface, as used by the server and the command; tests use a fake. */

import type { LiveTranscriber } from '../core/live/live.js';
import type { Capabilities, LoadState, ModelInfo } from '../core/speech/model-info.js';
import type { Cutter, Transcriber } from '../core/speech/transcriber.js';
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
	/** `unresponsive`: loaded, but its process misses heartbeats; if this persists, the process is killed. */
	readonly state: LoadState | 'unresponsive';
	/** null = unknown until the model is loaded. */
	readonly capabilities: Capabilities | null;
	/** A streaming model: it transcribes audio chunk by chunk while receiving it. */
	readonly isStreaming: boolean;
	/** The bundled demo model, which recognizes digits only. */
	readonly demo: boolean;
	/** Process id of its runner; null when none is running. */
	readonly pid: number | null;
	/** Resident memory of its runner, as last reported; 0 when none is running. */
	readonly memoryBytes: number;
	/** Requests in progress. */
	readonly requests: number;
	/** Time since its last request; null while the model is in use or not loaded. */
	readonly idleMs: number | null;
	/** Time until the model is unloaded if no request arrives; null = never, or while it is in use or not loaded. */
	readonly unloadsInMs: number | null;
}

/** A lease of a loaded model for one request or live session: the model stays loaded until the release. `cut` is
 * defined if the model runs on this machine. */
export interface Lease extends Transcriber, LiveTranscriber, Partial<Cutter> {
	/** Safe to call twice. */
	release(): void;
}

export interface ModelPool {
	readonly models: readonly ListedModel[];
	/** Id of the model for requests that name none. */
	readonly defaultModel: string;
	/** Id of the diarization model; undefined if none is installed. */
	readonly diarizer: string | undefined;
	/** Whether the default model can serve requests. While it cannot be loaded, a call retries the load, at most every 30
	 * s. */
	checkReadiness(): Readiness;
	/** Resolves an id or alias to an id. Throws `model_not_found`, whose message suggests a remedy, and `config_invalid`
	 * for an invalid entry of models.yaml. */
	idOf(name: string): string;
	/** Resolves an id or alias and loads the model if needed; concurrent callers share one load. `live`: for `listen`, which
	 * only models of this machine have; without one, throws `unsupported_value`. Throws `model_not_found`,
	 * `model_load_failed`, `engine_missing`, `model_backoff`, `model_too_large`, `out_of_memory` when there is not enough
	 * memory now, `cancelled`, `closed`. */
	lease(model: string, signal: AbortSignal, purpose?: 'live'): Promise<Lease>;
	/** Loads the model ahead of requests, also during its crash backoff. Its keep-alive starts as after a request. Throws
	 * like `lease`. */
	load(model: string, signal: AbortSignal): Promise<ModelInfo>;
	/** Ends the model's process once its last request has finished. Resolves when it has ended, at once if the model is
	 * not loaded. Throws `model_not_found`. */
	unload(model: string): Promise<void>;
	/** Cancels running requests and ends every runner. */
	close(): Promise<void>;
}
