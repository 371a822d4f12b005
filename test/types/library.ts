/**
 * What a program in TypeScript sees of the package: compiled by `npm run check`, never run. It comes through `exports`
 * of package.json, so from the declarations in dist/ as the last compilation made them.
 */

import { createReadStream } from 'node:fs';
import {
	type CallOptions,
	type Capabilities,
	type ChannelMode,
	type ChunkingOptions,
	type CreateOptions,
	createTranscriber,
	type DiarizeOptions,
	EarshotError,
	type EarshotTranscriber,
	type ErrorCode,
	type ErrorDetails,
	type FormatName,
	type formatNames,
	type Include,
	type ListenEvent,
	type ListenOptions,
	type ListenStream,
	type ListenTurns,
	type ModelInfo,
	type NamedTurn,
	type Pcm,
	type PcmEncoding,
	type RenderOptions,
	type RequestOptions,
	render,
	type Segment,
	type Source,
	type SpeakerTurns,
	type Stream,
	type Stretch,
	type SubtitleOptions,
	type SubtitlePreset,
	type Task,
	type TokenLogprob,
	type Transcript,
	type TranscriptionProgress,
	type TurnText,
	type Untranscribed,
	type Warning,
	type WarningCode,
	type Word,
} from 'earshot';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(is: Same<A, B>): unknown => is;

/** Every option has the type that it is exported under. */
same<RequestOptions['task'], Task | undefined>(true);
same<RequestOptions['chunking'], Partial<ChunkingOptions> | undefined>(true);
same<CallOptions['signal'], AbortSignal | undefined>(true);
same<CallOptions['onProgress'], ((progress: TranscriptionProgress) => void) | undefined>(true);
same<ModelInfo['capabilities'], Capabilities>(true);
same<RequestOptions['channels'], ChannelMode | undefined>(true);
same<Segment['words'], readonly Word[] | undefined>(true);
same<Segment['logprobs'], readonly TokenLogprob[] | undefined>(true);
same<Transcript['segments'], readonly Segment[]>(true);
same<Transcript['warnings'], readonly Warning[] | undefined>(true);
same<Transcript['untranscribed'], readonly Untranscribed[] | undefined>(true);
same<Warning['code'], WarningCode>(true);
same<keyof Stretch, 'start' | 'end'>(true);
same<(typeof formatNames)[number], FormatName>(true);
same<EarshotError['code'], ErrorCode>(true);
same<ConstructorParameters<typeof EarshotError>[2], ErrorDetails | undefined>(true);
same<Parameters<typeof createTranscriber>[0], CreateOptions | undefined>(true);
same<Parameters<typeof render>[1], FormatName>(true);
same<Parameters<typeof render>[2], RenderOptions | undefined>(true);
same<Pick<RenderOptions, keyof Include>, Partial<Include>>(true);
same<Pick<RenderOptions, keyof SubtitleOptions>, SubtitleOptions>(true);
same<SubtitleOptions['subtitles'], SubtitlePreset | undefined>(true);
same<SubtitleOptions['maxLineWidth'], number | undefined>(true);
same<Parameters<EarshotTranscriber['transcribe']>[0], Source>(true);
same<Parameters<EarshotTranscriber['diarize']>[1], DiarizeOptions | undefined>(true);
same<Awaited<ReturnType<EarshotTranscriber['diarize']>>, SpeakerTurns>(true);
same<SpeakerTurns['turns'], readonly NamedTurn[]>(true);
same<Parameters<EarshotTranscriber['listen']>[0], ListenOptions | undefined>(true);
same<ReturnType<EarshotTranscriber['listen']>, ListenStream>(true);
same<ListenOptions['encoding'], PcmEncoding | undefined>(true);
same<ListenOptions['turns'], ListenTurns | null | undefined>(true);
same<Source, string | URL | Uint8Array | ArrayBuffer | SharedArrayBuffer | Blob | Stream | Pcm>(true);

export async function asTheReadmeUsesIt(bytes: Uint8Array): Promise<string> {
	await using earshot: EarshotTranscriber = await createTranscriber({ model: 'demo-digits', isolated: true });
	const { language }: Transcript = await earshot.transcribe('talk.mp3', { words: true });
	same<typeof language, string | null>(true);
	for await (const segment of earshot.segments(bytes, {}, { signal: AbortSignal.timeout(1000) }))
		same<typeof segment, Segment>(true);
	const transcript = await earshot.transcribe(bytes.buffer as ArrayBuffer, { chunking: { threshold: 0.6 } });
	const subtitles = render(transcript, 'vtt', {
		subtitles: 'broadcast',
		maxLineCount: 1,
		highlightWords: true,
	});
	return subtitles + render(transcript, 'tsv') + render(transcript, 'verbose_json', { words: true });
}

export async function whileAudioArrives(earshot: EarshotTranscriber, pcm: Uint8Array): Promise<void> {
	const stream = earshot.listen({ encoding: 'pcm16', sampleRate: 48_000 });
	await stream.write(pcm);
	stream.end();
	for await (const event of stream) {
		same<typeof event, ListenEvent>(true);
		if (event.type === 'completed') event satisfies TurnText;
	}
}

export async function whateverHoldsARecording(
	earshot: EarshotTranscriber,
	samples: Float32Array,
	response: Response,
): Promise<void> {
	await earshot.transcribe({ samples, sampleRate: 48_000 });
	await earshot.transcribe(new URL('file:///talk.mp3'));
	await earshot.transcribe(new File([], 'talk.mp3'));
	await earshot.transcribe(createReadStream('talk.mp3'));
	if (response.body) await earshot.transcribe(response.body);
	const onProgress = ({ processed, duration }: TranscriptionProgress): number =>
		processed / (duration ?? processed);
	await earshot.transcribe('talk.mp3', {}, { onProgress });
}

export async function whatIsRefused(earshot: EarshotTranscriber, transcript: Transcript): Promise<void> {
	// @ts-expect-error: the fields of a model are known
	await createTranscriber({ modle: 'demo-digits' });
	// @ts-expect-error: a source holds a recording
	await earshot.transcribe(42);
	// @ts-expect-error: samples need their rate
	await earshot.transcribe({ samples: new Float32Array(10) });
	// @ts-expect-error: a call has no time-out of its own
	await earshot.transcribe('talk.mp3', {}, { timeout: 1000 });
	// @ts-expect-error: so are the tasks
	await earshot.transcribe('talk.mp3', { task: 'summarize' });
	// @ts-expect-error: so are the formats
	render(transcript, 'docx');
	// @ts-expect-error: and the presets of subtitles
	render(transcript, 'srt', { subtitles: 'cinema' });
	// @ts-expect-error: a transcript is not to be changed
	transcript.text = '';
	// @ts-expect-error: so are the codes
	new EarshotError('broken', 'it is broken');
}
