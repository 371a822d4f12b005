/** Live audio as clients send it → samples. */

import { addon } from '../addon/addon.js';

export interface LiveInputFormat {
	readonly encoding: 'pcm16' | 'pcmu' | 'pcma';
	/** Hz. */
	readonly rate: number;
}

/** Keeps what it needs of earlier bytes, so that it does not matter how the audio is cut into calls. */
export interface LiveInput {
	/** `last`: nothing follows, so the samples that wait for more are given too. The next call begins anew. */
	push(bytes: Uint8Array, last: boolean): Float32Array;
}

export type OpenLiveInput = (format: LiveInputFormat) => LiveInput;

/** Samples at 16 kHz. */
export const openLiveInput: OpenLiveInput = (format) => addon().openLiveInput(format);
