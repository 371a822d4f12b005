/** Combines transcription and diarization: two models process one recording. */

import { EarshotError } from '../core/errors.js';
import type { TranscribeOptions } from '../core/speech/options.js';
import type { Recording } from '../core/speech/recording.js';
import type { FoundSpeakers } from '../core/speech/speakers.js';
import type { Transcriber } from '../core/speech/transcriber.js';
import { type Transcript, type TranscriptEvent, textOfAll } from '../core/speech/transcript.js';
import { attributed } from './attribution.js';
import { speakerNames } from './names.js';
import { breaksBetween } from './turn-breaks.js';

/** A transcription model or a diarization model. */
type Model = Pick<Transcriber, 'transcribe'>;

/**
 * The events of a transcription, with speakers in its segments. `options.speakers`: known voices, and limits on the
 * number of speakers. Diarization needs the whole recording, so until the end `segments` events are empty and only
 * report progress. With word times (`options.words`) both models run concurrently; otherwise the recording is diarized
 * first, then transcribed turn by turn. The first failure ends both.
 */
export async function* withSpeakers(
	transcriber: Model,
	diarizer: Model,
	recording: Recording,
	{ speakers = { known: [] }, ...options }: TranscribeOptions,
	signal: AbortSignal,
): AsyncGenerator<TranscriptEvent> {
	const find = (wanted: AbortSignal) => diarizer.transcribe(recording, { ...options, speakers }, wanted);
	const write = (wanted: AbortSignal, breaks: readonly number[] = []) =>
		transcriber.transcribe(recording, breaks.length > 0 ? { ...options, breaks } : options, wanted);
	yield* options.words ? atOnce(find, write, signal) : turnByTurn(find, write, signal);
}

type Run = (wanted: AbortSignal) => AsyncIterable<TranscriptEvent>;
type RunWithBreaks = (wanted: AbortSignal, breaks: readonly number[]) => AsyncIterable<TranscriptEvent>;

async function* atOnce(find: Run, write: Run, signal: AbortSignal): AsyncGenerator<TranscriptEvent> {
	const unfinished = new AbortController();
	const wanted = AbortSignal.any([signal, unfinished.signal]);
	let failure: unknown;
	const finding = foundIn(find(wanted));
	finding.catch((thrown: unknown) => {
		failure ??= thrown;
		unfinished.abort();
	});
	try {
		yield* named(write(wanted), async () => (await finding).found);
	} catch (thrown) {
		failure ??= thrown;
		throw failure;
	} finally {
		unfinished.abort();
	}
}

async function* turnByTurn(
	find: Run,
	write: RunWithBreaks,
	signal: AbortSignal,
): AsyncGenerator<TranscriptEvent> {
	let found: FoundSpeakers | undefined;
	for await (const event of find(signal)) {
		if (event.type === 'started') yield event;
		else if (event.type === 'done') ({ found } = event);
	}
	if (found === undefined) throw withoutSpeakers();
	const { turns } = found;
	for await (const event of named(write(signal, breaksBetween(turns)), async () => found))
		if (event.type !== 'started') yield event;
}

/** The events of the transcription, with speaker names; all segments come in one event at the end. */
async function* named(
	events: AsyncIterable<TranscriptEvent>,
	find: () => Promise<FoundSpeakers>,
): AsyncGenerator<TranscriptEvent> {
	for await (const event of events) {
		if (event.type === 'started') yield event;
		else if (event.type === 'segments') yield { ...event, segments: [] };
		else {
			const { turns, speakers } = await find();
			const { transcript } = event;
			const labelled = attributed(transcript.segments, turns, speakerNames(speakers));
			yield { type: 'segments', segments: labelled, language: null, processed: transcript.duration };
			yield { ...event, transcript: { ...transcript, text: textOfAll(labelled), segments: labelled } };
		}
	}
}

/** The result of a diarization model. */
export interface SpeakersOfRecording {
	readonly found: FoundSpeakers;
	readonly transcript: Transcript;
}

export async function foundIn(events: AsyncIterable<TranscriptEvent>): Promise<SpeakersOfRecording> {
	for await (const event of events)
		if (event.type === 'done' && event.found) return { found: event.found, transcript: event.transcript };
	throw withoutSpeakers();
}

function withoutSpeakers(): EarshotError {
	return new EarshotError('internal', 'the recording ended without its speakers');
}
