/** What a model of a type takes in memory: the one formula, for the catalog as for the budget. Pure. */

import { isGgmlType } from './types.js';

/**
 * Resident bytes of its process, at the least: with one slot, and nothing in flight. A model is refused for what it
 * is sure to need; what it takes beyond that (further slots, an encoder that keeps its weights as f32) shows when the
 * process is measured, and others make room for it then. `weightBytes`: of its files, unpacked.
 */
export function memoryOf(type: string, weightBytes: number): number {
	// Fitted to whisper.cpp's own figures from tiny to large: what one state takes grows with the weights.
	if (isGgmlType(type)) return Math.round(1.2 * weightBytes + 180e6);
	// ONNX Runtime keeps weights and, rearranged for the processor, a good part of them once more: fitted to what
	// users report of SenseVoice, Parakeet and Qwen3.
	return Math.round(1.5 * weightBytes + 100e6);
}
