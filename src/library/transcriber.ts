/** The library's object for a loaded model. */

import { setMaxListeners } from 'node:events';
import { EarshotError } from '../core/errors.js';
import type { ModelInfo } from '../core/speech/model-info.js';
import { noOptions } from '../core/speech/options.js';
import type { Recording } from '../core/speech/recording.js';
import type { Segment, Transcript, TranscriptEvent } from '../core/speech/transcript.js';
import { withSpeakers } from '../speakers/with-speakers.js';
import { type ListenStream, LiveListening } from './listen.js';
import { type ListenOptions, listenOptions } from './listen-options.js';
import { OnDemand } from './on-demand.js';
import type { OpenModel } from './open-model.js';
import {
	type CallOptions,
	checkedCallOptions,
	checkedDiarizeOptions,
	type DiarizeOptions,
	fullOptions,
	type RequestOptions,
	type TranscriptionProgress,
} from './options.js';
import { type Source, taken } from './source.js';
import { type SpeakerTurns, turnsIn } from './speaker-turns.js';

/** A loaded model. Calls may run concurrently: the clips of several recordings share its threads. */
export interface EarshotTranscriber extends AsyncDisposable {
	/** The model's engine, device and capabilities. */
	readonly info: ModelInfo;
	/**
	 * The complete transcript. Throws EarshotError: `invalid_request` and `unsupported_value` (see RequestOptions),
	 * `audio_unsupported` (no audio, or a path that cannot be read), `audio_too_short` (under 0.1 s), `engine_failed`,
	 * `cancelled`, `closed`.
	 */
	transcribe(source: Source, options?: RequestOptions, call?: CallOptions): Promise<Transcript>;
	/**
	 * Segments in the order of the recording, each as soon as its clip is transcribed; the first segments of a long
	 * recording arrive while the rest is still being decoded. Leaving the loop cancels the rest. Throws as `transcribe`.
	 */
	segments(source: Source, options?: RequestOptions, call?: CallOptions): AsyncIterable<Segment>;
	/**
	 * Who speaks when, without a transcript. Throws as `transcribe`; `model_not_found` where the models of
	 * `earshot pull diarization` are not on this machine, and so does `transcribe` with `diarize: true`.
	 */
	diarize(source: Source, options?: DiarizeOptions, call?: CallOptions): Promise<SpeakerTurns>;
	/** Opens a live transcription, divided into turns. Any number may be open. Throws EarshotError:
	 * `invalid_request` and `unsupported_value` (see ListenOptions), `closed`.
	 */
	listen(options?: ListenOptions): ListenStream;
	/** Cancels running calls and unloads the model; resolves when its memory is freed. Safe to call twice. */
	close(): Promise<void>;
}

/** The signal of one call: aborted by the caller's signal and by `close`. */
interface CallSignal {
	readonly signal: AbortSignal;
	/** Maps an error of the call: if the signal ended it, the error that says so. */
	errorOf(thrown: unknown): unknown;
	release(): void;
}

/** Starts a call's work on its recording. */
type Work = (recording: Recording, signal: AbortSignal) => Promise<AsyncIterable<TranscriptEvent>>;

async function* callEvents(
	read: ReturnType<typeof taken>,
	work: Work,
	signalOfCall: () => CallSignal,
	onProgress: CallOptions['onProgress'],
): AsyncGenerator<TranscriptEvent> {
	const either = signalOfCall();
	try {
		either.signal.throwIfAborted();
		const { recording, release } = await read(either.signal);
		try {
			yield* withProgress(await work(recording, either.signal), onProgress);
		} finally {
			await release();
		}
	} catch (thrown) {
		throw either.errorOf(thrown);
	} finally {
		either.release();
	}
}

/** `openSpeakers`: loads the diarization model; called at most once at a time. */
export function transcriberOver(
	{ transcriber, close }: OpenModel,
	openSpeakers: () => Promise<OpenModel>,
): EarshotTranscriber {
	const diarizer = new OnDemand(openSpeakers);
	const closed = new AbortController();
	// Every call in flight adds a listener, and Node would warn of a leak from the eleventh on.
	setMaxListeners(0, closed.signal);
	let closing: Promise<void> | undefined;
	const open = new Set<LiveListening>();

	function events(
		source: Source,
		options: RequestOptions = {},
		call: CallOptions = {},
	): AsyncGenerator<TranscriptEvent> {
		return eventsOf(source, call, () => {
			const full = fullOptions(options, transcriber.info);
			return async (recording, signal) =>
				full.speakers
					? withSpeakers(transcriber, await diarizer.get(), recording, full, signal)
					: transcriber.transcribe(recording, full, signal);
		});
	}

	/**
	 * Checks the arguments and copies sources in memory before it returns. `prepare` checks options, and returns the
	 * function that processes the recording.
	 */
	function eventsOf(source: Source, call: CallOptions, prepare: () => Work): AsyncGenerator<TranscriptEvent> {
		if (closing) throw closedError();
		const { signal, onProgress } = checkedCallOptions(call);
		const work = prepare();
		const read = taken(source);
		return callEvents(read, work, () => signalOf(signal, closed.signal), onProgress);
	}

	const whole: EarshotTranscriber = {
		info: transcriber.info,
		async transcribe(source, options, call) {
			for await (const event of events(source, options, call)) {
				if (event.type === 'done') return event.transcript;
			}
			throw new EarshotError('internal', 'the recording ended without a transcript');
		},
		async diarize(source, options = {}, call = {}) {
			const events = eventsOf(source, call, () => {
				const speakers = checkedDiarizeOptions(options);
				return async (recording, signal) =>
					(await diarizer.get()).transcribe(recording, { ...noOptions, speakers }, signal);
			});
			return await turnsIn(events);
		},
		segments: (source, options, call) => segmentsOf(startedBy(() => events(source, options, call))),
		listen(options) {
			if (closing) throw closedError();
			const full = listenOptions(options ?? {}, transcriber.info);
			const listening: LiveListening = new LiveListening(transcriber, full, () => open.delete(listening));
			open.add(listening);
			return listening;
		},
		close() {
			closing ??= (async () => {
				closed.abort();
				for (const listening of open) listening.fail(closedError());
				await Promise.all([close(), diarizer.close()]);
			})();
			return closing;
		},
		[Symbol.asyncDispose]: () => whole.close(),
	};
	return whole;
}

/** The events. An error of `start` is thrown by the first step of the iteration, like all other errors. */
function startedBy(start: () => AsyncGenerator<TranscriptEvent>): AsyncGenerator<TranscriptEvent> {
	try {
		return start();
	} catch (thrown) {
		// biome-ignore lint/correctness/useYield: it fails before the first event
		return (async function* () {
			throw thrown as Error;
		})();
	}
}

async function* segmentsOf(events: AsyncIterable<TranscriptEvent>): AsyncGenerator<Segment> {
	for await (const event of events) {
		if (event.type === 'segments') yield* event.segments;
	}
}

async function* withProgress(
	events: AsyncIterable<TranscriptEvent>,
	/** May return a promise, which is awaited: an unhandled rejection would end the program. */
	onProgress: ((progress: TranscriptionProgress) => unknown) | undefined,
): AsyncGenerator<TranscriptEvent> {
	let duration: number | null = null;
	for await (const event of events) {
		if (event.type === 'started') {
			({ duration } = event);
			await onProgress?.({ processed: 0, duration });
		} else if (event.type === 'segments') {
			await onProgress?.({ processed: event.processed, duration });
		} else {
			({ duration } = event.transcript);
			await onProgress?.({ processed: duration, duration });
		}
		yield event;
	}
}

/** Uses listeners, since `AbortSignal.any` accepts only signals of this realm. */
function signalOf(given: AbortSignal | undefined, closed: AbortSignal): CallSignal {
	const control = new AbortController();
	const abort = () => control.abort(given?.aborted ? given.reason : closedError());
	const all = given ? [given, closed] : [closed];
	for (const signal of all) {
		if (signal.aborted) abort();
		signal.addEventListener('abort', abort, { once: true });
	}
	return {
		signal: control.signal,
		errorOf(thrown) {
			const wasEnded = control.signal.aborted && isOfSignal(thrown, control.signal);
			if (!wasEnded) return thrown;
			return given?.aborted ? endedBy(given.reason) : closedError();
		},
		release() {
			for (const signal of all) signal.removeEventListener('abort', abort);
		},
	};
}

function isOfSignal(thrown: unknown, signal: AbortSignal): boolean {
	if (thrown === signal.reason) return true;
	return thrown instanceof EarshotError && (thrown.code === 'cancelled' || thrown.code === 'closed');
}

function endedBy(reason: unknown): EarshotError {
	const isTimeout =
		typeof reason === 'object' && reason !== null && 'name' in reason && reason.name === 'TimeoutError';
	return isTimeout
		? new EarshotError('deadline_exceeded', 'the transcription took longer than its signal allows', {
				cause: reason,
			})
		: new EarshotError('cancelled', 'the transcription was cancelled', { cause: reason });
}

function closedError(): EarshotError {
	return new EarshotError('closed', 'the transcriber is closed');
}
