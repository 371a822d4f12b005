// @ts-check
/** What is compared: encoder, decoder weights, audio context and beam. */

/**
 * @typedef {object} Configuration
 * @property {string} encoder
 * @property {string} decoderWeights
 * @property {string} audioContext
 * @property {number | 'auto'} beam `auto` = the beam of each clip by its length
 */

export const encoders = ['ggml', 'int16', 'int8', 'onnx', 'onnx-int8'];

/** @param {Configuration} configuration */
export const nameOf = ({ encoder, decoderWeights, audioContext, beam }) =>
	`${encoder} ${decoderWeights} ${audioContext} ${beam}`;

/** whisper.cpp as it is: the weights of the file, all of the window. @type {Configuration} */
export const reference = { encoder: 'ggml', decoderWeights: 'as-is', audioContext: 'full', beam: 1 };

/**
 * The same in floats: on ONNX Runtime, or else, with products of half floats, by ggml.
 * @param {Configuration} configuration
 * @returns {string[]} names, the best first
 */
export const floatsOf = (configuration) =>
	['onnx', 'ggml'].map((encoder) => nameOf({ ...configuration, encoder, decoderWeights: 'as-is' }));

/**
 * The reference, one change at a time from the default, and the combinations that are worth choosing.
 * @param {readonly string[]} available encoders of this build on this processor
 * @param {{ encoder: string, decoderWeights: string }} auto what `auto` chooses
 * @param {boolean} all every combination
 * @returns {{ usual: Configuration, configurations: Configuration[] }} `usual`: the default
 */
export function configurationsOf(available, auto, all) {
	/** @type {Configuration} */
	const usual = { ...auto, audioContext: 'auto', beam: 'auto' };
	const of = (/** @type {Partial<Configuration>} */ change) => ({ ...usual, ...change });
	const bytes = available.includes('int8') ? 'int8' : 'onnx-int8';
	const everything = available.flatMap((encoder) =>
		['as-is', 'q8_0'].flatMap((decoderWeights) =>
			['auto', 'full'].flatMap((audioContext) =>
				/** @type {const} */ ([1, 'auto', 5]).map((beam) => ({
					encoder,
					decoderWeights,
					audioContext,
					beam,
				})),
			),
		),
	);
	const chosen = [
		...available.map((encoder) => of({ encoder, decoderWeights: 'as-is' })),
		...available.map((encoder) => of({ encoder, decoderWeights: 'q8_0' })),
		of({ audioContext: 'full' }),
		of({ audioContext: 'full', decoderWeights: 'q8_0' }),
		of({ encoder: bytes, audioContext: 'full', decoderWeights: 'as-is' }),
		{ ...reference, beam: 5 },
		of({ beam: 1 }),
		of({ beam: 5 }),
		of({ beam: 5, decoderWeights: 'q8_0' }),
		of({ encoder: bytes, decoderWeights: 'q8_0', beam: 5 }),
	];
	const wanted = [reference, usual, ...(all ? everything : chosen)];
	const byName = new Map(
		wanted
			.filter(({ encoder }) => available.includes(encoder))
			.map((configuration) => [nameOf(configuration), configuration]),
	);
	return { usual, configurations: [...byName.values()] };
}
