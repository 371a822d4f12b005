/** Loads a model on first use. */

import type { Transcriber } from '../core/speech/transcriber.js';
import type { OpenModel } from './open-model.js';

/** A model that is loaded on first use; a failed load is tried again at the next use. */
export class OnDemand {
	readonly #open: () => Promise<OpenModel>;
	#model: Promise<OpenModel> | undefined;

	constructor(open: () => Promise<OpenModel>) {
		this.#open = open;
	}

	async get(): Promise<Transcriber> {
		this.#model ??= this.#open().catch((thrown: unknown) => {
			this.#model = undefined;
			throw thrown;
		});
		return (await this.#model).transcriber;
	}

	async close(): Promise<void> {
		const model = await this.#model?.catch(() => undefined);
		await model?.close();
	}
}
