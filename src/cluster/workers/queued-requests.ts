/** Sends requests of waiting clients through the queue: for workers that cannot be reached directly, or have no
 * room now. */

import { createReadStream } from 'node:fs';
import type { Clock } from '../../core/clock.js';
import { EarshotError, fromWire } from '../../core/errors.js';
import { finished } from '../../core/speech/assemble.js';
import type { PipelineEvent } from '../../core/speech/events.js';
import type { TranscribeOptions } from '../../core/speech/options.js';
import type { Recording } from '../../core/speech/recording.js';
import type { TranscriptEvent } from '../../core/speech/transcript.js';
import { type BlobRef, type BlobStore, readBlob } from '../../jobs/blobs.js';
import type { RequestResultBlob } from '../../jobs/contents.js';
import { encodeOptions } from '../../jobs/encode-options.js';
import { blobNames, newJobId } from '../../jobs/job.js';
import { type JobQueue, requestSchema, type Unit } from '../../jobs/queue.js';
import { estimatedSeconds } from '../../server/request/admission.js';
import type { Directory } from '../directory.js';
import type { Records } from '../records/records.js';

export interface QueuedRequestsOptions {
	readonly queue: JobQueue;
	readonly blobs: BlobStore;
	readonly records: Records;
	readonly directory: Pick<Directory, 'slotsFor'>;
	readonly clock: Clock;
	readonly onError: (error: unknown) => void;
}

export interface RequestWork {
	readonly recording: Recording;
	readonly options: TranscribeOptions;
}

/** Members: ids of requests; scores: when their servers last confirmed them, by the server's clock, ms. */
const index = 'requests';
const confirmEveryMs = 10_000;
/** A request without confirmation for this long belongs to a server that has died. */
const abandonedAfterMs = 60_000;
/** A request fails after this long without a worker that serves its model. */
const giveUpAfterMs = 30_000;

export class QueuedRequests {
	readonly #options: QueuedRequestsOptions;
	readonly #running = new Set<string>();
	readonly #stop: () => void;

	constructor(options: QueuedRequestsOptions) {
		this.#options = options;
		this.#stop = options.clock.every(confirmEveryMs, () => {
			this.#confirm().catch(options.onError);
		});
	}

	/** The events of a transcription by any worker. Ending the iteration early, or aborting `signal`, cancels it.
	 * Nothing of it stays in the queue or the store afterwards. Throws EarshotError. */
	async *transcribe(model: string, work: RequestWork, signal: AbortSignal): AsyncGenerator<TranscriptEvent> {
		const id = newJobId();
		this.#running.add(id);
		const ended = new AbortController();
		try {
			// Confirmed before anything is stored, so that other servers clean up if this one dies.
			await this.#confirm();
			await this.#options.queue.enqueue(await this.#stored(id, model, work, signal));
			const end: RequestEnd = {};
			const updates = this.#news(id, model, end, AbortSignal.any([signal, ended.signal]));
			const { task, language } = work.options;
			for await (const event of finished(updates, { model, task, language }))
				yield event.type === 'done' ? (end.result ?? event) : event;
		} catch (thrown) {
			throw signal.aborted ? cancelled() : thrown;
		} finally {
			ended.abort();
			this.#running.delete(id);
			// If this fails, a server that finds the request abandoned removes it later.
			await this.#remove(id).catch(this.#options.onError);
		}
	}

	close(): void {
		this.#stop();
	}

	async #stored(
		id: string,
		model: string,
		{ recording, options }: RequestWork,
		signal: AbortSignal,
	): Promise<Unit> {
		const { blobs, records } = this.#options;
		const source =
			'bytes' in recording ? only(recording.bytes) : createReadStream(recording.path, { signal });
		const audio = await blobs.put(`${id}/${blobNames.audio}`, source);
		const request: BlobRef = await blobs.put(
			`${id}/${blobNames.request}`,
			only(await encodeOptions(options)),
		);
		return {
			...{ jobId: id, part: 0, model, class: 'interactive', schema: requestSchema },
			// The tenant is unknown here, so each request is its own tenant and they take turns in order of arrival.
			tenant: id,
			seconds: estimatedSeconds(audio.size),
			queuedAt: (await records.now()) / 1000,
			request: { audio, options: request },
		};
	}

	/** The same events as a local transcription; sets `end.result` when it is done. */
	async *#news(
		id: string,
		model: string,
		end: RequestEnd,
		signal: AbortSignal,
	): AsyncGenerator<PipelineEvent> {
		const { queue, blobs, clock } = this.#options;
		let clips = 0;
		let isStarted = false;
		let servedMs = clock.now();
		for await (const event of queue.watch(id, signal)) {
			const [unit] = await queue.units(id);
			if (signal.aborted) break;
			if (unit === undefined)
				throw new EarshotError('closed', 'The queue has lost this request: send it again');
			if (unit.state === 'failed') throw fromWire(unit.error);
			if (unit.state === 'waiting') {
				if ((await this.#options.directory.slotsFor(model)) > 0) servedMs = clock.now();
				if (clock.now() - servedMs >= giveUpAfterMs) throw noWorker(model);
				continue;
			}
			const isNext = event.type === 'clip' && event.clip.clip === clips;
			const isRest = unit.state === 'done' || event.type === 'changed' || event.type === 'clip';
			const added = isNext ? [event.clip] : isRest ? (await queue.clips(id)).slice(clips) : [];
			if (!isStarted && (event.type === 'progress' || unit.state === 'done' || added.length > 0)) {
				isStarted = true;
				yield { type: 'started', duration: (await queue.progress(id))?.duration ?? null };
			}
			clips += added.length;
			yield* added;
			// For models without clips, such as those for speaker diarization.
			if (event.type === 'progress' && clips === 0 && event.processed > 0)
				yield { type: 'progress', processed: event.processed };
			if (unit.state !== 'done') continue;
			if (isNext) yield* (await queue.clips(id)).slice(clips);
			end.result = JSON.parse(String(await readBlob(blobs, unit.result.key))) as RequestResultBlob;
			const { transcript, timing = noTime } = end.result;
			yield { type: 'ended', duration: transcript.duration, timing };
			return;
		}
		throw cancelled();
	}

	/** Confirms this server's requests, and removes those of servers that have died. */
	async #confirm(): Promise<void> {
		const { records } = this.#options;
		const members = [...this.#running];
		if (members.length > 0)
			await records.commit({ index: members.map((member) => ({ name: index, member, score: 'now' })) });
		const until = (await records.now()) - abandonedAfterMs;
		for (const { member } of await records.between(index, 0, until, 100))
			if (!this.#running.has(member)) await this.#remove(member);
	}

	async #remove(id: string): Promise<void> {
		const { queue, blobs, records } = this.#options;
		await queue.forget(id);
		for (const name of Object.values(blobNames)) await blobs.delete(`${id}/${name}`);
		await records.commit({ index: [{ name: index, member: id, score: null }] });
	}
}

interface RequestEnd {
	result?: RequestResultBlob;
}

const noTime = { decode: 0, queue: 0, run: 0 };

const cancelled = (): EarshotError => new EarshotError('cancelled', 'the recording was cancelled');

const noWorker = (model: string): EarshotError =>
	new EarshotError('closed', `No worker that serves \`${model}\` is available any more: try again later`, {
		retryAfterSeconds: 5,
	});

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
	yield bytes;
}
