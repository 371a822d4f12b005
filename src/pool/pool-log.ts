/** Writes the pool's log lines: the events of model processes, and their causes. */

import { asEarshotError } from '../core/errors.js';
import type { Log } from '../core/log.js';
import type { RestartReason, UnloadReason } from '../core/metrics.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import type { RunnerDeath } from '../runner/lifecycle.js';

/** Why a model is loaded: for a transcription, on a user's request, or at the server's start. */
export type LoadReason = 'request' | 'requested' | 'start';

const unloadMessages: Readonly<Record<UnloadReason, string>> = {
	idle: 'model unloaded: it was idle',
	memory: 'model evicted: its memory is needed',
	requested: 'model unloaded: a user has requested it',
	changed: 'model unloaded: its entry in models.yaml has changed',
};

const restartMessages: Readonly<Record<RestartReason, string>> = {
	died: 'the process of a model was replaced after its death',
	hung: 'the process of a model was replaced since it hung',
	grew: 'the process of a model was replaced since it had grown',
};

/** Load errors that are not caused by the model, or that were logged before. */
const expectedCodes: readonly string[] = ['cancelled', 'closed', 'model_backoff'];

export class PoolLog {
	readonly #log: Log;

	constructor(log: Log) {
		this.#log = log;
	}

	loading(model: string, reason: LoadReason): void {
		this.#log.info({ model, reason }, 'loading a model');
	}

	loaded(model: string, pid: number | undefined, ms: number, bytes: number, info: ModelInfo): void {
		const { engine, device, encoder, decoder } = info;
		const memoryMb = Math.round(bytes / 2 ** 20);
		this.#log.info(
			{ model, pid, ms: Math.round(ms), memoryMb, engine, device, encoder, decoder },
			'model loaded',
		);
	}

	loadFailed(model: string, thrown: unknown): void {
		const { code, message } = asEarshotError(thrown);
		if (expectedCodes.includes(code)) return;
		if (code === 'out_of_memory') this.#log.warn({ model, code }, message);
		else this.#log.error({ model, code }, message);
	}

	unloaded(model: string, reason: UnloadReason): void {
		this.#log.info({ model, reason }, unloadMessages[reason]);
	}

	died(model: string, { pid, how, inFlight, lastOutput, backoffMs }: RunnerDeath): void {
		const output = lastOutput === '' ? {} : { lastOutput };
		this.#log.warn({ model, pid, how, recordings: inFlight, ...output }, 'the process of a model died');
		if (backoffMs > 0)
			this.#log.error(
				{ model, seconds: Math.ceil(backoffMs / 1000) },
				'a model is in crash backoff: its process keeps crashing',
			);
	}

	restarted(model: string, pid: number | undefined, reason: RestartReason): void {
		this.#log.info({ model, pid, reason }, restartMessages[reason]);
	}
}
