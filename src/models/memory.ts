/** What a model will take in memory, from the size of its files, before anything is loaded. */

import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { ModelEntry } from './registry/entry.js';
import { isGgmlType } from './types/types.js';

/** As `memoryOf`, of the files of a model on this machine. */
export function expectedBytes({ type, files }: Pick<ModelEntry, 'type' | 'files'>): number {
	return memoryOf(
		type,
		Object.values(files).reduce((sum, file) => sum + bytesOf(file), 0),
	);
}

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

/** A tokenizer may be a folder. What is not there takes nothing: the load says what is missing. */
function bytesOf(file: string): number {
	const found = statSync(file, { throwIfNoEntry: false });
	if (!found?.isDirectory()) return found?.size ?? 0;
	return readdirSync(file).reduce((sum, name) => sum + bytesOf(path.join(file, name)), 0);
}
