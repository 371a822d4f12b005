/** A sherpa-onnx model that transcribes live streams as well as whole clips. */

import type { RawResult, StreamingModel } from '../../../binding.js';
import { fromNative, guarded } from '../../addon/addon.js';
import type { RecognizeOptions } from '../../core/speech/options.js';
import { sampleRate } from '../../core/speech/pcm.js';
import type { Family } from '../../models/types/family.js';
import type { SpeechStream, StreamingEngine } from '../engine.js';
import type { SherpaSettings } from './config.js';
import { type ModelTraits, SherpaEngine } from './recognizer.js';
import { asRefusal } from './result.js';

export class StreamingSherpaEngine extends SherpaEngine implements StreamingEngine {
	readonly #streaming: StreamingModel;

	constructor(model: StreamingModel, family: Family, settings: SherpaSettings, traits: ModelTraits) {
		super(model, family, settings, traits);
		this.#streaming = model;
	}

	/** Throws `closed`. */
	stream(options: RecognizeOptions): SpeechStream {
		const stream = this.#openStream(options);
		let receivedSeconds = 0;
		return {
			feed: async (samples, last, silentSeconds = 0) => {
				receivedSeconds += samples.length / sampleRate;
				try {
					const { ended, result, endpoint } = await guarded(() => stream.feed(samples, last, silentSeconds));
					const clip = { samples, start: 0, end: receivedSeconds };
					const resultOf = (raw: RawResult) => this.resultOf(raw, clip, options);
					return { ended: ended.map(resultOf), result: resultOf(result), endpoint };
				} catch (thrown) {
					throw asRefusal(thrown);
				}
			},
			close: () => guarded(() => stream.close()),
		};
	}

	#openStream(options: RecognizeOptions) {
		try {
			return this.#streaming.stream(this.streamOptionsOf(options));
		} catch (thrown) {
			throw fromNative(thrown);
		}
	}
}
