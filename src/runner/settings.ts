import { lanesOf } from '../config/resolve.js';
import type { AudioContext, Config, DecoderWeights, EncoderName } from '../config/settings.js';
import { sileroPath } from '../paths.js';

/** What every host is told beside its model. */
export interface HostSettings {
	/** Threads that recognition may use, all lanes together. */
	readonly numThreads: number;
	/** Clips at once. */
	readonly lanes: number;
	readonly maxAudioSeconds: number;
	/** Folder of the sherpa-onnx libraries; undefined = find them. */
	readonly sherpaDir: string | undefined;
	/** Where the store keeps what is made of models. */
	readonly modelDir: string;
	/** Silero-like ONNX file that finds speech. */
	readonly vadModel: string;
	readonly useGpu: boolean;
	readonly gpuDevice: number;
	/** What encodes for Whisper models that do not say it themselves. */
	readonly encoder: EncoderName;
	/** The same of how its decoder's weights are kept. */
	readonly decoderWeights: DecoderWeights;
	/** The same of what Whisper's encoder hears. */
	readonly audioContext: AudioContext;
}

export function hostSettings(config: Config): HostSettings {
	return {
		numThreads: config.numThreads,
		lanes: lanesOf(config),
		maxAudioSeconds: config.maxAudioSeconds,
		modelDir: config.modelDir,
		sherpaDir: config.sherpaDir === '' ? undefined : config.sherpaDir,
		vadModel: config.vadModel === '' ? sileroPath : config.vadModel,
		useGpu: config.gpu,
		gpuDevice: config.gpuDevice,
		encoder: config.encoder,
		decoderWeights: config.decoderWeights,
		audioContext: config.audioContext,
	};
}
