import type { WhisperClipOptions, WhisperLoad } from '../../binding.js';

export const usualLoad: Omit<WhisperLoad, 'path'>;
export const usualClip: WhisperClipOptions;
