/** Converts live audio from the bytes that clients send to samples. */

import { addon } from '../addon/addon.js';

export interface LiveInputFormat {
	readonly encoding: 'pcm16' | 'pcmu' | 'pcma';
	/** Hz. */
	readonly rate: number;
}

/** Keeps the state that it needs, so that the result does not depend on how the audio is divided into calls. */
export interface LiveInput {
	/** `last`: the audio ends here, so buffered samples are returned too. The next call begins a new stream. */
	push(bytes: Uint8Array, last: boolean): Float32Array;
}

export type OpenLiveInput = (format: LiveInputFormat) => LiveInput;

/** Samples at 16 kHz. */
export const openLiveInput: OpenLiveInput = (format) => addon().openLiveInput(format);
