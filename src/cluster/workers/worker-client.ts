/** Sends a gateway's requests to workers. */

import { createReadStream } from 'node:fs';
import { Agent, type Dispatcher, request } from 'undici';
import { codeOf, EarshotError, fromWire, isError, type WireError } from '../../core/errors.js';
import type { ModelInfo } from '../../core/speech/model-info.js';
import type { TranscribeOptions } from '../../core/speech/options.js';
import type { Recording } from '../../core/speech/recording.js';
import { encodeOptions } from '../../jobs/encode-options.js';
import {
	aliveEveryMs,
	clusterPaths,
	clusterProtocol,
	optionsHeader,
	protocolHeader,
	type WorkerReply,
} from './protocol.js';

/** The worker cannot be reached, has stopped or refuses the request; another one may accept it. */
export class WorkerLost extends Error {}

/** No connection could be opened. */
export class WorkerUnreachable extends WorkerLost {}

/** Time limit for loading a large model from a slow disk. */
const loadMs = 10 * 60_000;

/** A worker that sends nothing for this long is considered dead: it should send a heartbeat every `aliveEveryMs`. */
const silentMs = 4 * aliveEveryMs;

export class WorkerClient {
	readonly #key: string;
	readonly #agent = new Agent({ connect: { timeout: 3000 }, keepAliveTimeout: 60_000, pipelining: 1 });

	constructor(key: string) {
		this.#key = key;
	}

	async load(address: string, model: string, signal: AbortSignal): Promise<ModelInfo> {
		const reply = await this.#post(address, clusterPaths.load, model, { signal, headersTimeout: loadMs });
		return ((await reply.body.json()) as { info: ModelInfo }).info;
	}

	async unload(address: string, model: string, signal: AbortSignal): Promise<void> {
		await (
			await this.#post(address, clusterPaths.unload, model, { signal, headersTimeout: loadMs })
		).body.dump();
	}

	/** Throws WorkerLost and EarshotError. Ending the iteration early cancels the work. */
	async *transcribe(
		address: string,
		model: string,
		work: { readonly recording: Recording; readonly options: TranscribeOptions },
		signal: AbortSignal,
	): AsyncGenerator<WorkerReply> {
		const options = await encodeOptions(work.options);
		const reply = await this.#post(address, clusterPaths.transcribe, model, {
			signal,
			headersTimeout: loadMs,
			bodyTimeout: silentMs,
			headers: { [optionsHeader]: String(options.length) },
			body: body(options, work.recording) as never,
		});
		try {
			let rest = '';
			for await (const piece of reply.body.setEncoding('utf8') as AsyncIterable<string>) {
				const lines = (rest + piece).split('\n');
				rest = lines.pop() ?? '';
				for (const line of lines) yield JSON.parse(line) as WorkerReply;
			}
		} catch (thrown) {
			throw disconnected(thrown, address, signal);
		} finally {
			reply.body.destroy();
		}
	}

	async close(): Promise<void> {
		await this.#agent.destroy();
	}

	async #post(
		address: string,
		path: string,
		model: string,
		options: Omit<Partial<Dispatcher.RequestOptions>, 'headers'> & { headers?: Record<string, string> },
	): Promise<Dispatcher.ResponseData<unknown>> {
		const { headers, ...more } = options;
		let reply: Dispatcher.ResponseData<unknown>;
		try {
			reply = await request(`${address}${path}?model=${encodeURIComponent(model)}`, {
				method: 'POST',
				dispatcher: this.#agent,
				headers: {
					authorization: `Bearer ${this.#key}`,
					[protocolHeader]: String(clusterProtocol),
					...headers,
				},
				...more,
			});
		} catch (thrown) {
			throw disconnected(thrown, address, options.signal as AbortSignal | undefined);
		}
		if (reply.statusCode === 200) return reply;
		const { error } = (await reply.body.json().catch(() => ({}))) as { error?: WireError };
		// The reply came from a proxy, or from a program that is not a worker.
		if (error === undefined) throw new WorkerLost(`${address} answered with status ${reply.statusCode}`);
		// The worker cannot serve this request now; another one may.
		if (refusals.has(error.code)) throw new WorkerLost(`${address}: ${error.message}`);
		throw fromWire(error);
	}
}

/** Codes of a worker that cannot serve the request itself. */
const refusals: ReadonlySet<string> = new Set([
	...['overloaded', 'invalid_api_key', 'unsupported_value', 'closed', 'not_found', 'request_timeout'],
]);

const unreachable: ReadonlySet<string> = new Set([
	...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'],
	...['ENOTFOUND', 'EAI_AGAIN'],
]);

async function* body(options: Buffer, recording: Recording): AsyncGenerator<Uint8Array> {
	yield options;
	if ('bytes' in recording) yield recording.bytes;
	else yield* createReadStream(recording.path) as AsyncIterable<Uint8Array>;
}

function disconnected(thrown: unknown, address: string, signal: AbortSignal | undefined): Error {
	if (signal?.aborted) return new EarshotError('cancelled', 'the recording was cancelled');
	if (thrown instanceof EarshotError || thrown instanceof WorkerLost) return thrown;
	const message = `${address}: ${isError(thrown) ? thrown.message : String(thrown)}`;
	return unreachable.has(codeOf(thrown)) ? new WorkerUnreachable(message) : new WorkerLost(message);
}
