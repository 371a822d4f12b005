/** Joins what was said with who speaks when: two models on one recording at the same time. */

import { EarshotError } from '../errors.js';
import type { TranscribeOptions } from '../speech/options.js';
import type { Recording } from '../speech/recording.js';
import type { FoundSpeakers } from '../speech/speakers.js';
import type { Transcriber } from '../speech/transcriber.js';
import { type Transcript, type TranscriptEvent, textOfAll } from '../speech/transcript.js';
import { attributed } from './attribution.js';
import { speakerNames } from './names.js';

/**
 * The events of a transcription with its segments' speakers, of whom `options.speakers` tells more. Who speaks is known only once the whole recording was heard, so
 * until then its events of segments are empty and tell how far it is. The first failure ends both.
 */
export async function* withSpeakers(
	transcriber: Pick<Transcriber, 'transcribe'>,
	diarizer: Pick<Transcriber, 'transcribe'>,
	recording: Recording,
	{ speakers = { known: [] }, ...options }: TranscribeOptions,
	signal: AbortSignal,
): AsyncGenerator<TranscriptEvent> {
	const unfinished = new AbortController();
	const wanted = AbortSignal.any([signal, unfinished.signal]);
	let failure: unknown;
	const finding = foundIn(diarizer.transcribe(recording, { ...options, speakers }, wanted));
	finding.catch((thrown: unknown) => {
		failure ??= thrown;
		unfinished.abort();
	});
	try {
		for await (const event of transcriber.transcribe(recording, options, wanted)) {
			if (event.type === 'started') yield event;
			else if (event.type === 'segments') yield { ...event, segments: [] };
			else {
				const { found } = await finding;
				const { transcript } = event;
				const told = attributed(transcript.segments, found.turns, speakerNames(found.speakers));
				yield { type: 'segments', segments: told, language: null, processed: transcript.duration };
				yield { ...event, transcript: { ...transcript, text: textOfAll(told), segments: told } };
			}
		}
	} catch (thrown) {
		failure ??= thrown;
		throw failure;
	} finally {
		unfinished.abort();
	}
}

/** What a diarization model says at its end. */
export interface SpeakersOfRecording {
	readonly found: FoundSpeakers;
	readonly transcript: Transcript;
}

export async function foundIn(events: AsyncIterable<TranscriptEvent>): Promise<SpeakersOfRecording> {
	for await (const event of events)
		if (event.type === 'done' && event.found) return { found: event.found, transcript: event.transcript };
	throw new EarshotError('internal', 'the recording ended without its speakers');
}
