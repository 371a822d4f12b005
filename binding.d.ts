/**
 * The exports of `earshot.node`: the contract between TypeScript and C++.
 *
 * Threads. Functions that return a promise do their work on the libuv thread pool and settle on the
 * calling thread; all others return at once. A runner sets `UV_THREADPOOL_SIZE` accordingly.
 *
 * Ownership. What threads read is copied during the call: arguments may be changed, transferred or detached as soon as it
 * has returned. Returned arrays belong to the caller.
 *
 * Failures. Promises reject with, and functions throw, only `NativeError`, and what a getter of an argument throws.
 * Functions that return a promise throw nothing. Nothing here prints or exits.
 *
 * Arguments. Types and ranges are checked, whatever they are; what they mean together is checked in TypeScript.
 */

/** The codes a `NativeError` carries: those of `src/core/errors.ts`, and `invalid_argument`. */
export type NativeCode =
	/** An argument has another type than declared here, or is out of its range; the message names it. */
	| 'invalid_argument'
	/** FFmpeg cannot read the bytes, or they contain no audio stream or no samples. */
	| 'audio_unsupported'
	/** The recording is longer than `maxSeconds`. */
	| 'audio_too_long'
	/** The library rejected the model or the file. */
	| 'model_load_failed'
	/** The engine's library is missing, or has another version than the one declared here. */
	| 'engine_missing'
	/** A loaded engine failed on a clip, or all its slots were taken. */
	| 'engine_failed'
	| 'out_of_memory'
	| 'cancelled'
	/** Called after `close()`; a recording, session or stream: also after its end or a failure. */
	| 'closed';

export interface NativeError extends Error {
	readonly code: NativeCode;
}

/** Mono f32 PCM at 16 kHz, nominally in [-1, 1], finite. */
export type Samples = Float32Array;

// ---- audio -------------------------------------------------------------------------------------

export interface DecodeOptions {
	/** Recordings that decode to more than this many seconds are refused (audio_too_long); 0..1e9. */
	readonly maxSeconds: number;
	/** Decode this channel only, from 0; absent = all, mixed so that none cancels another. */
	readonly channel?: number;
}

export interface AudioInfo {
	/** FFmpeg's short name for the container, e.g. `matroska,webm`. */
	readonly container: string;
	/** FFmpeg's name for the codec, e.g. `opus`. */
	readonly codec: string;
	/** Of the source, before conversion. */
	readonly sampleRate: number;
	readonly channels: number;
	/** End of the recording as declared by the container, or estimated from its size; often wrong. NaN if unknown. */
	readonly declaredSeconds: number;
}

export interface ReadAudio {
	/** Less than asked for only at the end of the recording. */
	readonly count: number;
	/** Packets and frames skipped since the start because they could not be decoded. */
	readonly skippedPackets: number;
	/** At the end of the recording: whether the file ends before its recording does. False before. */
	readonly truncated: boolean;
}

/**
 * A recording in memory or in a file, decoded as it is read, on the time scale that a player shows: a stream that starts
 * late and gaps in it are silence. One call at a time. */
export interface AudioReader {
	/** Call it first, once. Refuses what is not a recording. A recording that declares to be longer than `maxSeconds` is
	 * decoded once to check, and refused if it is. */
	open(): Promise<AudioInfo>;
	/** Fills `into` with the next samples. Rejects with invalid_argument where `into` was detached or made shorter meanwhile. */
	read(into: Samples): Promise<ReadAudio>;
	/** Cancels the running call and closes the file. Safe to call twice. */
	close(): Promise<void>;
}

/** Creates a reader without reading anything yet; bytes are copied. Supports every container that FFmpeg reads. */
export function openAudio(source: Uint8Array | string, options: DecodeOptions): AudioReader;

export interface LiveInputOptions {
	/** Mono. `pcm16`: signed, little-endian; the others are G.711. */
	readonly encoding: 'pcm16' | 'pcmu' | 'pcma';
	/** Hz: a multiple of 25, 8000..96000. */
	readonly rate: number;
}

/** Live audio in pieces; how it is cut makes no difference to the samples, to the last bit. */
export interface LiveInput {
	/** Returns the samples that are certain now. `last`: all of them, as if silence followed; the next call begins anew. */
	push(bytes: Uint8Array, last: boolean): Samples;
}

/** Decodes and resamples live audio, at once on the calling thread: 100 ms take microseconds. */
export function openLiveInput(options: LiveInputOptions): LiveInput;

// ---- voice activity ----------------------------------------------------------------------------

export interface SpeechNetworkLoad {
	/** File of the ONNX Runtime library, 1.28 or newer. */
	readonly library: string;
	/**
	 * ONNX model of Silero's network for n consecutive windows, all f32. Inputs: `frames` [4n, 256], four frames per
	 * window, 128 samples apart, from its 576 samples (512 new ones after 64 of the window before) padded with 64
	 * mirrored ones at the end; `h`, `c` [1, 1, 128], the LSTM's state. Outputs: `chances` [n, 1], the probability of
	 * speech, 0..1; `next_h`, `next_c`.
	 */
	readonly graph: Uint8Array;
	/** Folder of the files with its weights. */
	readonly folder: string;
}

declare const speechNetwork: unique symbol;
/** Opaque. May be shared by any number of detectors; freed when none uses it and nothing refers to it. */
export interface SpeechNetwork {
	readonly [speechNetwork]: true;
}

/** Silero's network on ONNX Runtime. Rejects with engine_missing or model_load_failed. */
export function loadSpeechNetwork(options: SpeechNetworkLoad): Promise<SpeechNetwork>;

/** sherpa-onnx's detector, which runs the file unchanged. */
export interface SherpaDetector {
	/** Folder of the sherpa-onnx libraries. */
	readonly libraryDir: string;
	/** Silero ONNX file (v4, v5 or v6), or TEN's. */
	readonly path: string;
	/** The file is TEN VAD's. */
	readonly ten: boolean;
	/** Samples that each window shares with the one before: 64 for Silero v5 and v6, else 0; 0..512. */
	readonly overlap: number;
}

export interface VoiceActivityLoad {
	/** With the same network both detect the same spans; SpeechNetwork is seven times as fast. */
	readonly detector: SpeechNetwork | SherpaDetector;
	/** Speech probability above which a window (Silero's 32 ms, TEN's 16 ms) is speech, 0..1. */
	readonly threshold: number;
	readonly minSilenceSeconds: number;
	readonly minSpeechSeconds: number;
	/** The detector ends a span that is longer than this. */
	readonly maxSpeechSeconds: number;
}

/** Speech detected so far. Positions are samples from the start of the recording. */
export interface VadSegments {
	/** Spans of speech that have ended since the last call: start0, end0, start1, end1, … in order, not overlapping. */
	readonly spans: Uint32Array;
	/** Start of the span that has not ended yet; -1 if there is none. */
	readonly open: number;
	/** The open span ends after this position; if none is open, the next span does not start before it. */
	readonly settled: number;
}

/** Voice activity detection on one recording of any length, in pieces of any length. One call at a time. */
export interface VadSession {
	/** Takes the next samples; `last`: the recording ends with them. */
	push(samples: Samples, last: boolean): Promise<VadSegments>;
	/** Cancels the running call. Safe to call twice. */
	close(): Promise<void>;
}

export interface VoiceActivity {
	/** Opens a session; any number may run in parallel. With sherpa-onnx each has its own detector, which is reused.
	 * Throws `closed`. */
	openSession(): VadSession;
	/** Open sessions go on. Safe to call twice. */
	close(): void;
}

export function loadVoiceActivity(options: VoiceActivityLoad): Promise<VoiceActivity>;

// ---- networks ----------------------------------------------------------------------------------

export interface NetworkLoad {
	/** File of the ONNX Runtime library, 1.28 or newer. */
	readonly library: string;
	/** ONNX model, with its weights in it. */
	readonly graph: Uint8Array;
	/** Threads of one run, 1..1024. */
	readonly threads: number;
}

export interface NetworkRun extends ClipOptions {
	/** Names of the input and the output, both f32. */
	readonly input: string;
	readonly output: string;
	/** Sizes of their dimensions, each 1 or more, together at most 2^26 numbers. */
	readonly inputShape: readonly number[];
	readonly outputShape: readonly number[];
}

/** A network on ONNX Runtime of which one input and one output are used. Runs in parallel, at most 1025. */
export interface Network {
	/** Rejects with engine_failed where names or shapes are not the model's. `clip` identifies the run for `cancel`. */
	run(values: Float32Array, options: NetworkRun): Promise<Float32Array>;
	/** The run soon rejects with `cancelled`. Does nothing if it is not running. */
	cancel(clip: number): void;
	/** Cancels running calls, waits for them, then frees the network. Safe to call twice. */
	close(): Promise<void>;
}

/** Rejects with engine_missing or model_load_failed. */
export function loadNetwork(options: NetworkLoad): Promise<Network>;

// ---- models ------------------------------------------------------------------------------------

/**
 * The result of one clip, flat on purpose: one buffer of text and a few typed arrays cross the boundary instead of
 * thousands of objects. n = number of tokens, m = number of segments; special tokens are omitted.
 */
export interface RawResult {
	/** UTF-8 of all tokens, concatenated. A token may end inside a character. */
	readonly bytes: Uint8Array;
	/** n: offset in `bytes` after token i. */
	readonly tokenEnds: Uint32Array;
	/** n: ids in the model's vocabulary; -1 if unknown. */
	readonly tokenIds: Int32Array;
	/** 2n: start and end of token i in seconds from the clip's start; NaN if unknown. */
	readonly tokenTimes: Float32Array;
	/** n: natural-log probability of token i; NaN if unknown. */
	readonly tokenLogprobs: Float32Array;
	/** m * SEGMENT_FIELDS numbers: tokenEnd (index after the segment's last token), start and end in
	 * seconds from the clip's start, average log-probability of the decode it came from, no-speech
	 * probability, temperature, start of that decode's window in seconds (0 without windows), ids of
	 * the timestamp tokens before and after it; NaN if unknown. */
	readonly segments: Float64Array;
	/** Start and end in seconds, alternating, of the segments from which a repetition was removed. */
	readonly removedRepetitions: Float64Array;
	/** Tokens computed by Whisper's decoder, including prompts, failed attempts and alignment: a measure of the clip's
	 * work. 0 for other libraries. */
	readonly decodedTokens: number;
	/** The library's own text if it differs from the joined tokens (inverse text normalisation), else ''. */
	readonly text: string;
	/** ISO 639-1 (or the model's own) code; '' if unknown. */
	readonly language: string;
	/** SenseVoice's emotion tag without brackets, e.g. `NEUTRAL`; '' for other models. */
	readonly emotion: string;
	/** SenseVoice's audio event tag without brackets, e.g. `Speech`; '' for other models. */
	readonly event: string;
}

export const SEGMENT_FIELDS: 9;

export interface ClipOptions {
	/** Identifies the clip or batch for `cancel`: a whole number. Unique among the model's running ones. */
	readonly clip: number;
}

export interface WhisperClipOptions extends ClipOptions {
	/** Threads for this clip, 1..1024; more than the model's `maxThreads` are as many. */
	readonly threads: number;
	/** A language code the model knows; '' = detect (multilingual models only). */
	readonly language: string;
	/** Candidates for language detection; empty = all languages of the model. */
	readonly languages: readonly string[];
	/** Translate to English instead of transcribing. */
	readonly translate: boolean;
	/** Text that precedes the clip; '' = none. Only its last 4096 bytes are used, and of those the last 223 tokens. */
	readonly prompt: string;
	/** Ids of text tokens that are never generated. */
	readonly suppress: readonly number[];
	/** Never generate brackets, music notes and similar symbols (OpenAI's list). */
	readonly suppressNonSpeech: boolean;
	/** Temperature of the first attempt, 0..1. */
	readonly temperature: number;
	/** Temperature fallback: added for each retry, up to 1.0, when a decode fails its checks: 0.01..1;
	 * 0 = no retry. */
	readonly temperatureIncrement: number;
	/** Fill `tokenTimes`. */
	readonly tokenTimestamps: boolean;
	/** A window whose average log-probability is below this is decoded again at the next temperature, -100..0 … */
	readonly logprobThreshold: number;
	/** … or has no text, where its probability of no speech is above this, 0..1. */
	readonly noSpeechThreshold: number;
	/** Texts that are followed at once at temperature 0, 1..64, of which at most 8 are; 1 = greedy. */
	readonly beamSize: number;
	/** The beam size of each clip of a batch; absent = `beamSize` for all. */
	readonly beamSizes?: readonly number[];
	/** Audio context: positions of 20 ms of each window that the encoder processes, 1..1500; 0 = all 1500. Audio beyond
	 * them is ignored. */
	readonly audioContext: number;
	/** The audio context of each clip of a batch; absent = `audioContext` for all. */
	readonly audioContexts?: readonly number[];
	/** 0 … slots - 1; absent = 0. Continuous batching: single-threaded clips without a prompt are decoded together
	 * with the clips already running in their slot, on the same core. */
	readonly slot?: number;
	/** For single-threaded clips: run at lower OS priority. Absent = normal priority. */
	readonly background?: boolean;
}

export interface SherpaClipOptions extends ClipOptions {
	/** Options of the stream, as the model family understands them (`language`, `use_itn`, `hotwords`, …). */
	readonly stream: Readonly<Record<string, string>>;
	/** Phrases joined by '/', for transducers under beam search; '' = none. */
	readonly hotwords: string;
	/** Configuration fields that differ for this clip, by dotted path. Clips with equal configuration run together;
	 * clips with another one wait until they are done. */
	readonly changes: Readonly<Record<string, string | number>>;
}

/** A loaded model: one copy of the weights, and as many concurrent clips as it has slots. */
export interface Model<O extends ClipOptions, I> {
	readonly info: I;
	/** Transcribes one clip. Rejects with engine_failed when every slot is taken. */
	transcribe(samples: Samples, options: O): Promise<RawResult>;
	/** Transcribes clips, together if the library supports it. Returns one promise per clip, which settles when that clip
	 * is done. Takes one slot, which is free again when all have settled. `clip` identifies the batch. */
	transcribeBatch(clips: readonly Samples[], options: O): Promise<RawResult>[];
	/** The clip soon rejects with `cancelled`. For a batch: the clip at `position`, while the others go on, or all clips if
	 * absent. Does nothing if it is not running. */
	cancel(clip: number, position?: number): void;
	/** Cancels running clips, waits for them, then frees the model. Safe to call twice. */
	close(): Promise<void>;
}

export interface WhisperLoad {
	readonly path: string;
	/** Number of decoder states, i.e. concurrent clips or batches, 1..1025. */
	readonly slots: number;
	/** Maximum of `threads` of a clip, and the size of each state's thread pool, 1..1024; ggml has 512 at most. */
	readonly maxThreads: number;
	readonly useGpu: boolean;
	/** Index of the GPU device. */
	readonly gpuDevice: number;
	/** Alignment heads of the decoder (whose attention follows the spoken word), layer and head alternating; empty =
	 * OpenAI's for models of the shapes that it published, none for others. */
	readonly alignmentHeads: readonly number[];
	/** In ascending order of `threads`; each clip uses the first with at least as many threads as the clip, else the last.
	 * The model takes ownership: an encoder serves one model. None = ggml's own encoder. */
	readonly encoders?: readonly Encoder[];
	/** Use our integer encoder of this width instead, made from the loaded weights. Rejects with engine_missing if the
	 * processor lacks AVX-512 VNNI: see integerEncoders. */
	readonly encoderBits?: 8 | 16;
	/** Convert the decoder's matrices from f16 or f32 to Q8_0, if they are in CPU memory. Ignored by loadParakeet. */
	readonly quantiseDecoder?: boolean;
	/** Folder for a file of the weights that remain in CPU memory, of which all processes that load the same model with this
	 * folder share one copy. If the file can't be written, the weights stay in this process's memory and a
	 * warning is logged. Ignored on Windows and by loadParakeet. */
	readonly weightsDir?: string;
}

export interface EncoderLoad {
	/** File of the ONNX Runtime library, 1.28 or newer. */
	readonly library: string;
	/** ONNX model: `in` [1, mels, 2 × context] → `out` [1, context, state], f32. */
	readonly graph: Uint8Array;
	/** Folder of the files with its weights. */
	readonly folder: string;
	/** Threads of the session, shared by clips that are encoded at the same time. */
	readonly threads: number;
	/** For 8-bit weights: avoid saturation on x86 processors without VNNI, which is slower. */
	readonly exactInt8?: boolean;
}

declare const encoder: unique symbol;
/** Opaque. */
export interface Encoder {
	readonly [encoder]: true;
}

/** Whether the integer encoders can run on this processor: they need AVX-512 VNNI. */
export function integerEncoders(): boolean;

/** A Whisper encoder on ONNX Runtime. Rejects with engine_missing or model_load_failed. */
export function loadEncoder(options: EncoderLoad): Promise<Encoder>;

export interface EncodeOptions extends ClipOptions {
	readonly threads: number;
	/** As in WhisperClipOptions. */
	readonly audioContext: number;
}

export interface WhisperModel extends Model<WhisperClipOptions, WhisperInfo> {
	/** The encoder's output for the first window, context × state numbers, for measuring and comparing encoders.
	 * Rejects with engine_failed for Parakeet. */
	encode(samples: Samples, options: EncodeOptions): Promise<Float32Array>;
}

export interface WhisperInfo {
	/** `tiny`, `base`, …, derived from the number of layers; `unknown` otherwise. */
	readonly size: string;
	readonly multilingual: boolean;
	/** Whether token times come from attention; else from audio energy and the length of words. */
	readonly alignsWords: boolean;
	/** Language codes in the vocabulary; ['en'] for English-only models. */
	readonly languages: readonly string[];
	/** ggml's name for the device that holds the weights, e.g. `CPU`. */
	readonly device: string;
	/** The encoder in use: `ggml`, `onnxruntime` and its version, `int16` or `int8`. */
	readonly encoder: string;
	/** Type of the decoder's matrices: `f16`, `q8_0`, …; `` for Parakeet. */
	readonly decoder: string;
	/** Bytes of the weights in memory. */
	readonly weightBytes: number;
	/** Number of clips up to which decoding a batch together is faster; 1 = clips are decoded one after another. */
	readonly maxBatchedClips: number;
}

export function loadWhisper(options: WhisperLoad): Promise<WhisperModel>;

/** whisper.cpp's own Parakeet (TDT, ggml). Uses only `clip` and `threads` of WhisperClipOptions; gives token times. */
export function loadParakeet(options: WhisperLoad): Promise<WhisperModel>;

export interface SherpaLoad {
	readonly libraryDir: string;
	readonly slots: number;
	/** Fields of SherpaOnnxOfflineRecognizerConfig by dotted path, e.g.
	 * `model_config.sense_voice.model`. Unknown paths throw model_load_failed. */
	readonly config: Readonly<Record<string, string | number>>;
	/** Clips with `changes` get a separate recognizer with its own weights, created on first use: for families whose
	 * features would be corrupted by changing the configuration. */
	readonly changesApart: boolean;
	/** Run one clip at a time: for families that the library cannot run in parallel. */
	readonly exclusive: boolean;
	/** ONNX file of a CT-transformer that adds punctuation to `text`; '' = none. */
	readonly punctuation: string;
}

export interface SherpaInfo {
	readonly version: string;
	readonly onnxruntime: string;
	/** Execution providers of this build of ONNX Runtime: `CPU`, `CUDA`, `CoreML`, … */
	readonly providers: readonly string[];
	/** The library's message if it used the CPU instead of the requested provider; '' if it did not. */
	readonly fallback: string;
}

export function loadSherpa(options: SherpaLoad): Promise<Model<SherpaClipOptions, SherpaInfo>>;

export interface StreamingLoad {
	readonly libraryDir: string;
	readonly slots: number;
	/** Fields of SherpaOnnxOnlineRecognizerConfig by dotted path. Unknown paths throw model_load_failed. */
	readonly config: Readonly<Record<string, string | number>>;
	/** Silence appended to the last samples, 0..60, since the model decodes only complete chunks. */
	readonly tailSeconds: number;
	/**
	 * Live streams that are decoded at once, 1..1024: those that have a chunk when a thread is free, on at most `slots`
	 * threads. 1 where they would change each other's results.
	 */
	readonly batch: number;
}

/** Times are seconds from the start of the stream. */
export interface PartialResult {
	/** The utterances that ended within the samples, before what `result` is of. */
	readonly ended: readonly RawResult[];
	/** The text since the last endpoint. */
	readonly result: RawResult;
	/** The utterance has ended: `result` is final, and the next result starts empty. */
	readonly endpoint: boolean;
}

/** A live audio stream of any length. One call at a time. */
export interface SpeechStream {
	/** Decodes the chunks that these samples complete. `last`: the stream ends here, and the result is final; silence is appended
	 * for that, shorter by the `silentSeconds` that the stream ends with already (default 0). */
	feed(samples: Samples, last: boolean, silentSeconds?: number): Promise<PartialResult>;
	/** Cancels the running call. Safe to call twice. */
	close(): Promise<void>;
}

/** A model that transcribes live audio as it arrives, and whole clips too. Supports all SherpaClipOptions but `changes`. */
export interface StreamingModel extends Model<SherpaClipOptions, SherpaInfo> {
	/** Opens a stream; any number may be open, regardless of the slots. Throws `closed`. */
	stream(options: Pick<SherpaClipOptions, 'stream' | 'hotwords'>): SpeechStream;
}

export function loadStreaming(options: StreamingLoad): Promise<StreamingModel>;

// ---- the machine -------------------------------------------------------------------------------

export interface Device {
	/** ggml's name, e.g. `CPU`, `CUDA0`, `Metal`. */
	readonly name: string;
	readonly description: string;
	readonly kind: 'cpu' | 'gpu' | 'igpu' | 'accelerator';
	readonly memoryBytes: number;
	readonly freeBytes: number;
}

export interface Versions {
	readonly whisper: string;
	readonly ggml: string;
	/** Version of libavformat, e.g. `59.27.100`; likewise libavcodec and libswresample. */
	readonly avformat: string;
	readonly avcodec: string;
	readonly swresample: string;
	/** Licence string of the linked FFmpeg build. */
	readonly ffmpegLicense: string;
	/** The only supported sherpa-onnx version: its C structures are compiled in. */
	readonly sherpaExpected: string;
}

export function devices(): Device[];
/**
 * Whether the device at this index of `devices()` can add two numbers. If its driver or kind does not fit this build, the
 * process may crash instead.
 */
export function calculates(device: number): boolean;

/** Returns free heap memory to the operating system, if the C library would keep it. Takes milliseconds. */
export function trimHeap(): void;
/** Names of the instruction sets that this build of ggml uses, e.g. `AVX2`. */
export function cpuFeatures(): string[];
/**
 * Of the instruction sets by which prebuilt binaries differ, those that this processor has, by the names of Linux's
 * /proc/cpuinfo. Empty if they cannot be detected (Apple's processors).
 */
export function processorFlags(): string[];
/**
 * The widest of our own kernels in use on this processor, independent of the build's level. The environment variable
 * EARSHOT_KERNELS limits them, by the same names.
 */
export function kernels(): 'none' | 'avx2' | 'avx512' | 'vnni';
export function versions(): Versions;
/** Loads the sherpa-onnx library and reads its version. Throws engine_missing. */
export function sherpaVersion(libraryDir: string): SherpaInfo & { readonly gitSha: string };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Sets the receiver of the engines' log lines, called on this thread; null = discard them. Does not keep the process
 * alive. */
export function setLogSink(sink: ((level: LogLevel, line: string) => void) | null): void;
