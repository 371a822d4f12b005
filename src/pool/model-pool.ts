/** What the server and the command need of the pool; tests hand them a fake. */

import type { Transcriber } from '../transcriber/transcriber.js';

export type LoadState = 'unloaded' | 'loading' | 'loaded';

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
}

export interface ModelPool {
	readonly models: readonly ListedModel[];
	/** Used where a request names no model. */
	readonly defaultModel: string;
	/** Resolves an id or alias and loads the model if need be; one load however many ask.
	 * Throws `model_not_found`, `model_load_failed`, `engine_missing`, `cancelled`, `closed`. */
	transcriber(model: string, signal: AbortSignal): Promise<Transcriber>;
	/** Cancels what runs and ends every host. */
	close(): Promise<void>;
}
