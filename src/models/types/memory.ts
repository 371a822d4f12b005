/** Estimates the memory of a model by its type: the same formula for the catalog and the memory budget. Pure. */

import { isGgmlType } from './types.js';

/**
 * A lower bound of the resident bytes of its process: with one slot and no recording. A model is refused only for what
 * it certainly needs; what it takes beyond that (more slots, an encoder that keeps its weights as f32) is measured
 * later, and other models are evicted for it then. `weightBytes`: of its files, unpacked.
 */
export function memoryOf(type: string, weightBytes: number): number {
	// Fitted to whisper.cpp's own figures from tiny to large: the memory of a state grows with the weights.
	if (isGgmlType(type)) return Math.round(1.2 * weightBytes + 180e6);
	// ONNX Runtime keeps the weights and a second, prepacked copy of many of them: fitted to what users report for
	// SenseVoice, Parakeet and Qwen3.
	return Math.round(1.5 * weightBytes + 100e6);
}
