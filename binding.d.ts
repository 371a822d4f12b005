/**
 * Everything that `earshot.node` exports: the whole contract between TypeScript and C++.
 *
 * Threads. Functions that return a promise do their work on the libuv thread pool and settle on the
 * thread that called them; everything else returns at once. A host sizes `UV_THREADPOOL_SIZE` for it.
 *
 * Ownership. Arrays handed in are read in place until the promise settles: do not write, transfer or
 * detach them before. Arrays handed out belong to the caller.
 *
 * Failures. Promises reject, and functions throw, only `NativeError`; nothing here prints, exits or
 * validates what TypeScript has validated already.
 */

/** The codes a `NativeError` carries; a subset of the codes in `src/errors.ts`. */
export type NativeCode =
	/** The bytes are not audio that FFmpeg reads, hold no audio stream, or decode to no sample. */
	| 'audio_unsupported'
	/** The recording is longer than `maxSeconds`. */
	| 'audio_too_long'
	/** The library refused the model or the file. */
	| 'model_load_failed'
	/** The engine's library is not there, or is of another version than the one declared here. */
	| 'engine_missing'
	/** A loaded engine failed on a clip, or was asked for more slots than it has. */
	| 'engine_failed'
	| 'out_of_memory'
	| 'cancelled'
	/** Called after `close()`. */
	| 'closed';

export interface NativeError extends Error {
	readonly code: NativeCode;
}

/** Mono f32 PCM at 16 kHz, nominally in [-1, 1], finite. */
export type Samples = Float32Array;

// ---- audio -------------------------------------------------------------------------------------

export interface DecodeOptions {
	/** Refuse (audio_too_long) what decodes to more than this many seconds. */
	readonly maxSeconds: number;
}

export interface AudioInfo {
	/** FFmpeg's short name of the container, e.g. `matroska,webm`. */
	readonly container: string;
	/** FFmpeg's name of the codec, e.g. `opus`. */
	readonly codec: string;
	/** Of the source, before conversion. */
	readonly sampleRate: number;
	readonly channels: number;
	/** As the container says or its size suggests, often wrong; NaN where neither tells. */
	readonly declaredSeconds: number;
}

/** A recording that is decoded as it is read, from memory or from a file by path. One call at a time. */
export interface AudioReader {
	/** First and once. What is no recording is refused here; so is what declares to be longer than `maxSeconds`
	 * and, being decoded once to see, is. */
	open(): Promise<AudioInfo>;
	/** Fills `into` with the next samples; `count` is less than its length only at the end of the recording.
	 * `skippedPackets`: packets and frames since the start that could not be decoded and were passed over. */
	read(into: Samples): Promise<{ readonly count: number; readonly skippedPackets: number }>;
	/** Cancels what runs and closes the file. Safe to call twice. */
	close(): Promise<void>;
}

/** Does nothing yet. Every container FFmpeg knows. */
export function openAudio(source: Uint8Array | string, options: DecodeOptions): AudioReader;

// ---- voice activity ----------------------------------------------------------------------------

export interface SpeechNetworkLoad {
	/** File of the ONNX Runtime library, 1.28 or newer. */
	readonly library: string;
	/**
	 * ONNX model of Silero's network for n windows in a row, all f32. `frames` [4n, 256]: of the 576 samples that
	 * each window of 512 hears, 64 of them mirrored behind, every 128; `h`, `c` [1, 1, 128]: what it remembers →
	 * `chances` [n, 1] of speech, 0..1; `next_h`, `next_c`. Copied.
	 */
	readonly graph: Uint8Array;
	/** Where the files with its weights lie. */
	readonly folder: string;
}

declare const speechNetwork: unique symbol;
/** Opaque. Any number of detectors run it; it is freed when none does and nothing refers to it. */
export interface SpeechNetwork {
	readonly [speechNetwork]: true;
}

/** Silero's network on ONNX Runtime. Rejects with engine_missing or model_load_failed. */
export function loadSpeechNetwork(options: SpeechNetworkLoad): Promise<SpeechNetwork>;

/** The detector of sherpa-onnx, which runs a file as it is. */
export interface SherpaDetector {
	/** Folder of the sherpa-onnx libraries. */
	readonly libraryDir: string;
	/** Silero ONNX file (v4, v5 or v6), or TEN's. */
	readonly path: string;
	/** The file is TEN VAD's. */
	readonly ten: boolean;
	/** Samples that each window of the network keeps of the one before: 64 for Silero v5 and v6, else 0. */
	readonly overlap: number;
}

export interface VoiceActivityLoad {
	/** Both find the same spans with the same network, the first in a seventh of the time. */
	readonly detector: SpeechNetwork | SherpaDetector;
	/** Speech probability above which a window (Silero's 32 ms, TEN's 16 ms) is speech, 0..1. */
	readonly threshold: number;
	readonly minSilenceSeconds: number;
	readonly minSpeechSeconds: number;
	/** A span longer than this is cut by the detector itself. */
	readonly maxSpeechSeconds: number;
}

/** In samples from the start of the recording. */
export interface VadSegments {
	/** Spans of speech that have ended since the last call: start0, end0, start1, end1, … in order, not overlapping. */
	readonly spans: Uint32Array;
	/** Start of the span that still goes on; -1 where nobody speaks. */
	readonly open: number;
	/** The open span ends after this; where none is open, the next one does not start before it. */
	readonly settled: number;
}

/** A search through one recording, of whatever length, in stretches of whatever length. One call at a time. */
export interface VadSession {
	/** The next samples; `last`: the recording ends with them. */
	hear(samples: Samples, last: boolean): Promise<VadSegments>;
	/** Cancels what runs. Safe to call twice. */
	close(): Promise<void>;
}

export interface VoiceActivity {
	/** Searches in parallel are allowed; sherpa-onnx's detectors are one for each, kept for the next. Throws `closed`. */
	search(): VadSession;
	/** Searches that are open go on. Safe to call twice. */
	close(): void;
}

export function loadVoiceActivity(options: VoiceActivityLoad): Promise<VoiceActivity>;

// ---- models ------------------------------------------------------------------------------------

/**
 * The result of one clip, flat on purpose: one buffer of text and typed arrays cross the boundary,
 * not ten thousand objects. n = number of tokens, m = number of segments; special tokens are left out.
 */
export interface RawResult {
	/** UTF-8 of all tokens one after another. A token may end inside a character. */
	readonly bytes: Uint8Array;
	/** n: offset in `bytes` after token i. */
	readonly tokenEnds: Uint32Array;
	/** n: ids in the model's vocabulary; -1 where the library does not tell. */
	readonly tokenIds: Int32Array;
	/** 2n: start and end of token i in seconds from the clip's start; NaN where not known. */
	readonly tokenTimes: Float32Array;
	/** n: natural-log probability of token i; NaN where not known. */
	readonly tokenLogprobs: Float32Array;
	/** m * SEGMENT_FIELDS numbers: tokenEnd (index after the segment's last token), start and end in
	 * seconds from the clip's start, average log-probability of the decode it came from, no-speech
	 * probability, temperature, start of that decode's window in seconds (0 where there are none), ids of
	 * the timestamp tokens before and after it; NaN where not known. */
	readonly segments: Float64Array;
	/** Start and end in seconds, in turn, of the segments out of which a repetition was cut. */
	readonly removedRepetitions: Float64Array;
	/** A decode failed its checks under `firstTryOnly`: there is no other result. */
	readonly failed: boolean;
	/** Tokens that Whisper's decoder has computed, with those of prompts, of failed tries and of finding times: the work
	 * that the clip was. 0 where the library does not tell. */
	readonly decodedTokens: number;
	/** The library's own text where it differs from the joined tokens (inverse text normalisation), else ''. */
	readonly text: string;
	/** ISO 639-1 (or the model's own) code; '' where not known. */
	readonly language: string;
	/** SenseVoice's tags without brackets, e.g. `NEUTRAL`, `Speech`; '' elsewhere. */
	readonly emotion: string;
	readonly event: string;
}

export const SEGMENT_FIELDS: 9;

/** Names the clip for `cancel`. Unique among the clips a model has running. */
export interface ClipOptions {
	readonly clip: number;
}

export interface WhisperClipOptions extends ClipOptions {
	/** Threads for this clip, >= 1. */
	readonly threads: number;
	/** A language code the model knows; '' = detect (multilingual models only). */
	readonly language: string;
	/** What detection chooses among; empty = all that the model knows. */
	readonly languages: readonly string[];
	/** Translate to English instead of transcribing. */
	readonly translate: boolean;
	/** Text that precedes the clip; '' = none. The last 4096 bytes of it count, and of those 223 tokens. */
	readonly prompt: string;
	/** Ids of text tokens that are never said. */
	readonly suppress: readonly number[];
	/** Never say brackets, notes and the like: OpenAI's list of symbols. */
	readonly suppressNonSpeech: boolean;
	/** Where the ladder starts, 0..1. */
	readonly temperature: number;
	/** Step of the ladder up to 1.0 when a decode fails its checks; 0 = no second try. */
	readonly temperatureIncrement: number;
	/** Fill `tokenTimes`. */
	readonly tokenTimestamps: boolean;
	/** Candidates of beam search; 1 = greedy. */
	readonly beamSize: number;
	/** Positions of 20 ms that the encoder hears of each window, 1..1500; 0 = all 1500. What the clip has beyond them
	 * is not heard. */
	readonly audioContext: number;
	/** The same of each clip of a batch; absent = `audioContext` for all. */
	readonly audioContexts?: readonly number[];
	/** 0 … slots - 1; absent = 0. Greedy clips of one thread and without a prompt share a core with those of the same
	 * slot, and are decoded together with those that are there when they come. */
	readonly slot?: number;
	/** On one thread: where there are more threads than cores, others go before this one. Absent = as any other. */
	readonly background?: boolean;
	/** End with `failed` where a decode fails its checks, whatever `temperatureIncrement` is. */
	readonly firstTryOnly: boolean;
}

export interface SherpaClipOptions extends ClipOptions {
	/** Options of the stream, as the model family understands them (`language`, `use_itn`, `hotwords`, …). */
	readonly stream: Readonly<Record<string, string>>;
	/** Phrases joined by '/', for transducers under beam search; '' = none. */
	readonly hotwords: string;
	/** Fields of the configuration that differ for this clip, by dotted path. Clips of one configuration run
	 * together; another one waits until they are done. */
	readonly changes: Readonly<Record<string, string | number>>;
}

/** A loaded model. One weight copy; as many clips at once as it has slots. */
export interface Model<O extends ClipOptions, I> {
	readonly info: I;
	/** One clip. Rejects with engine_failed when every slot is taken. */
	transcribe(samples: Samples, options: O): Promise<RawResult>;
	/** Clips decoded together where the library can: a promise for each, which settles when that clip is done. Takes one
	 * slot, which is free again when all have settled. `clip` names the batch. */
	transcribeBatch(clips: readonly Samples[], options: O): Promise<RawResult>[];
	/** Ends that clip soon with `cancelled`; of a batch the clip at that position, while the others go on, or without one
	 * all. Nothing happens when it is not running. */
	cancel(clip: number, position?: number): void;
	/** Cancels what runs, waits for it, frees the model. Safe to call twice. */
	close(): Promise<void>;
}

export interface WhisperLoad {
	readonly path: string;
	/** States made, i.e. clips at once, >= 1. */
	readonly slots: number;
	/** Most threads that a clip will ask for; the state's thread pool is this large. */
	readonly maxThreads: number;
	readonly useGpu: boolean;
	/** n-th GPU device. */
	readonly gpuDevice: number;
	/** Layer and head in turn, of the decoder's heads that look at the word being said; empty = OpenAI's for
	 * the shapes of its own models, and none for others. */
	readonly alignmentHeads: readonly number[];
	/** By rising `threads`; each clip takes the first that has as many threads as the clip, else the last. The model
	 * takes them over: an encoder serves one model. None = ggml's own encoder. */
	readonly encoders?: readonly Encoder[];
	/** An encoder in integers of so many bits instead, made of the weights that are loaded. Rejects with engine_missing
	 * where the processor does not have AVX-512 VNNI: see integerEncoders. */
	readonly encoderBits?: 8 | 16;
	/** The decoder's matrices become Q8_0 where the file has them as f16 or f32 and they are in the memory of the
	 * processor. Parakeet's loader does not look at it. */
	readonly quantiseDecoder?: boolean;
}

export interface EncoderLoad {
	/** File of the ONNX Runtime library, 1.28 or newer. */
	readonly library: string;
	/** ONNX model: `in` [1, mels, 2 × context] → `out` [1, context, state], f32. Copied. */
	readonly graph: Uint8Array;
	/** Where the files with its weights lie. */
	readonly folder: string;
	/** Threads of one pass. Passes of several clips may run at once, and then share them. */
	readonly threads: number;
	/** Of 8-bit weights: compute without saturation, which costs time, on an x86 processor without VNNI. */
	readonly exactInt8?: boolean;
}

declare const encoder: unique symbol;
/** Opaque. */
export interface Encoder {
	readonly [encoder]: true;
}

/** Whether Whisper's encoder can be had in integers: this processor has AVX-512 VNNI. */
export function integerEncoders(): boolean;

/** A Whisper encoder on ONNX Runtime. Rejects with engine_missing or model_load_failed. */
export function loadEncoder(options: EncoderLoad): Promise<Encoder>;

export interface EncodeOptions extends ClipOptions {
	readonly threads: number;
	/** As in WhisperClipOptions. */
	readonly audioContext: number;
}

export interface WhisperModel extends Model<WhisperClipOptions, WhisperInfo> {
	/** What the encoder makes of the first window, context × state numbers: for measuring it and comparing encoders.
	 * Parakeet's rejects with engine_failed. */
	encode(samples: Samples, options: EncodeOptions): Promise<Float32Array>;
}

export interface WhisperInfo {
	/** `tiny`, `base`, … by the number of layers; `unknown` otherwise. */
	readonly size: string;
	readonly multilingual: boolean;
	/** Whether times of tokens come from attention; else from sound and the length of words. */
	readonly alignsWords: boolean;
	/** Codes the vocabulary holds; ['en'] for English-only models. */
	readonly languages: readonly string[];
	/** ggml's name of the device the weights are on, e.g. `CPU`. */
	readonly device: string;
	/** What encodes: `ggml`, `onnxruntime` and its version, `int16` or `int8`. */
	readonly encoder: string;
	/** Type of the decoder's matrices: `f16`, `q8_0`, …; `` for Parakeet. */
	readonly decoder: string;
	/** Bytes of the weights in memory. */
	readonly weightBytes: number;
	/** Clips of a batch that gain by being decoded together; 1 = they come one after the other. */
	readonly clipsTogether: number;
}

export function loadWhisper(options: WhisperLoad): Promise<WhisperModel>;

/** whisper.cpp's own Parakeet (TDT, ggml). Of WhisperClipOptions it takes `clip` and `threads`; tokens always have times. */
export function loadParakeet(options: WhisperLoad): Promise<WhisperModel>;

export interface SherpaLoad {
	readonly libraryDir: string;
	readonly slots: number;
	/** Fields of SherpaOnnxOfflineRecognizerConfig by dotted path, e.g.
	 * `model_config.sense_voice.model`. Unknown paths throw model_load_failed. */
	readonly config: Readonly<Record<string, string | number>>;
	/** Clips with `changes` get a recognizer of their own, with weights of its own, made when first needed:
	 * families whose features would be spoilt by changing the configuration. */
	readonly changesApart: boolean;
	/** One clip at a time: families that the library cannot run in parallel. */
	readonly exclusive: boolean;
	/** ONNX file of a CT-transformer that punctuates `text`; '' = none. */
	readonly punctuation: string;
}

export interface SherpaInfo {
	readonly version: string;
	readonly onnxruntime: string;
	/** What this build of ONNX Runtime has: `CPU`, `CUDA`, `CoreML`, … */
	readonly providers: readonly string[];
	/** What the library said when it took the CPU instead of the provider it was asked for; '' = it did not. */
	readonly fallback: string;
}

export function loadSherpa(options: SherpaLoad): Promise<Model<SherpaClipOptions, SherpaInfo>>;

export interface StreamingLoad {
	readonly libraryDir: string;
	readonly slots: number;
	/** Fields of SherpaOnnxOnlineRecognizerConfig by dotted path. Unknown paths throw model_load_failed. */
	readonly config: Readonly<Record<string, string | number>>;
	/** Silence put behind the last samples: a model decodes chunk by chunk, and waits for whole ones. */
	readonly tailSeconds: number;
}

export interface PartialResult {
	/** Since the last endpoint. Times are seconds from the start of the stream. */
	readonly result: RawResult;
	/** Somebody has stopped speaking: `result` is final, and the next one begins anew. */
	readonly endpoint: boolean;
}

/** Somebody who speaks, for any time. One call at a time. */
export interface SpeechStream {
	/** Decodes what these samples complete. `last`: nothing follows, and the result is final. */
	feed(samples: Samples, last: boolean): Promise<PartialResult>;
	/** Cancels what runs. Safe to call twice. */
	close(): Promise<void>;
}

/** A model that hears while somebody speaks. Takes whole clips too; of SherpaClipOptions all but `changes`. */
export interface StreamingModel extends Model<SherpaClipOptions, SherpaInfo> {
	/** Any number at once, whatever the slots. Throws `closed`. */
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
	/** libavformat's, libavcodec's and libswresample's, e.g. `59.27.100`. */
	readonly avformat: string;
	readonly avcodec: string;
	readonly swresample: string;
	/** FFmpeg's licence string of the build linked. */
	readonly ffmpegLicense: string;
	/** The only sherpa-onnx version whose structures are declared here. */
	readonly sherpaExpected: string;
}

export function devices(): Device[];
/**
 * Whether the device of that place in `devices()` adds two numbers. One whose driver or whose kind does not fit this build
 * may end the process instead.
 */
export function calculates(device: number): boolean;

/** Gives back to the system what the heap holds free, where it would keep that. Takes milliseconds. */
export function trimHeap(): void;
/** Names of the instruction sets that this build of ggml uses, e.g. `AVX2`. */
export function cpuFeatures(): string[];
/**
 * Instruction sets that this processor has, in the words of Linux's /proc/cpuinfo, of those that prebuilt binaries
 * differ by. None where nothing tells (Apple's processors).
 */
export function processorFlags(): string[];
/**
 * The widest kernels of our own that are used here, whatever level the build is for: `none`, `avx2`, `avx512` or `vnni`.
 * The environment variable EARSHOT_KERNELS, by the same names, has no more than that used.
 */
export function kernels(): 'none' | 'avx2' | 'avx512' | 'vnni';
export function versions(): Versions;
/** Loads the sherpa-onnx library and reads its version. Throws engine_missing. */
export function sherpaVersion(libraryDir: string): SherpaInfo & { readonly gitSha: string };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** Where the engines' own log lines go, called on this thread; null = nowhere. Does not keep the process alive. */
export function setLogSink(sink: ((level: LogLevel, line: string) => void) | null): void;
