/** What the server and the command need of the pool; tests hand them a fake. */

import type { LoadState, ModelInfo } from '../speech/model-info.js';
import type { Transcriber } from '../speech/transcriber.js';

export interface ListedModel {
	readonly id: string;
	/** Other names that requests may use. */
	readonly aliases: readonly string[];
	/** The `type` of models.yaml. */
	readonly type: string;
	/** When the files arrived on this machine, Unix seconds. */
	readonly created: number;
	readonly ownedBy: string;
	readonly state: LoadState;
	/** The bundled model that hears digits only. */
	readonly demo: boolean;
	/** null where it has no process. */
	readonly pid: number | null;
	/** Resident memory of its process, as it said last; 0 where it has none. */
	readonly memoryBytes: number;
	/** Requests that have it now. */
	readonly requests: number;
	/** Since its last request; null while it is used, or not loaded. */
	readonly idleMs: number | null;
	/** Until it is unloaded if nobody asks for it; null while that is not to happen. */
	readonly unloadsInMs: number | null;
}

/** A loaded model for one request: it stays in memory until it is released. */
export interface Lease extends Transcriber {
	/** Safe to call twice. */
	release(): void;
}

export interface ModelPool {
	readonly models: readonly ListedModel[];
	/** Used where a request names no model. */
	readonly defaultModel: string;
	/** Resolves an id or alias and loads the model if need be; one load however many ask.
	 * Throws `model_not_found`, `model_load_failed`, `engine_missing`, `model_backoff`, `out_of_memory` where there is
	 * no room for it now, `cancelled`, `closed`. */
	lease(model: string, signal: AbortSignal): Promise<Lease>;
	/** Loads the model before a request asks; it stays as if one had. Also where it is on hold. Throws as `lease`. */
	load(model: string, signal: AbortSignal): Promise<ModelInfo>;
	/** Ends the model's process when the last request in it is through, and resolves when it is gone; at once where
	 * it is not loaded. Throws `model_not_found`. */
	unload(model: string): Promise<void>;
	/** Cancels what runs and ends every runner. */
	close(): Promise<void>;
}
