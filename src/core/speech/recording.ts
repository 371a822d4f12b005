/** The audio input of a transcription. */

/** Bytes of an audio file in any container, or the path of one that must exist until the call ends. */
export type Recording = { readonly bytes: Uint8Array } | { readonly path: string };
