/** The one shape of audio inside Earshot: mono f32 PCM, finite, in [-1, 1]. */

/** Of every decoded recording, Hz. */
export const sampleRate = 16_000;

/** Under this OpenAI refuses a recording, and so do we: there is nothing to hear. */
export const minRecordingSeconds = 0.1;
