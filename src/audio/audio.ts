/** The one shape of audio inside Earshot. */

/** Of every decoded recording, Hz. */
export const sampleRate = 16_000;

/** Under this OpenAI refuses a recording, and so do we: there is nothing to hear. */
export const minRecordingSeconds = 0.1;

export interface Audio {
	/** Mono, finite, in [-1, 1]. */
	readonly samples: Float32Array;
	/** Seconds. */
	readonly duration: number;
}
