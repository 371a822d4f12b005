/** fixtures/lib/ggml.mjs, which is plain JavaScript, with its types. */

export interface Hyperparameters {
	readonly vocabulary: number;
	readonly state: number;
	readonly heads: number;
	readonly audioLayers: number;
	readonly textLayers: number;
	readonly mels: number;
	readonly type: 'f16' | 'q4_0' | 'q8_0';
}

interface Ggml {
	readonly encodeHeader: (shape: Hyperparameters, tokens: readonly Uint8Array[]) => Uint8Array;
	readonly encodeWhisper: (
		shape: Hyperparameters,
		tokens: readonly Uint8Array[],
		fill: (name: string, count: number) => ArrayLike<number>,
	) => Iterable<Uint8Array>;
	/** [mels, 201] */
	readonly melFilters: (mels: number) => Float32Array;
}

const script = new URL('../../../fixtures/lib/ggml.mjs', import.meta.url).href;
export const { encodeHeader, encodeWhisper, melFilters } = (await import(script)) as Ggml;
