/** A recording: what is to be transcribed. */

/** Bytes in any container, or a file that stays in place until the call ends. */
export type Recording = { readonly bytes: Uint8Array } | { readonly path: string };
