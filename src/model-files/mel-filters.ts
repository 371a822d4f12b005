/** Computes Whisper's mel filters. Pure. */

const bins = 201;
/** Distance between two bins: 16 kHz over a window of 400 samples. */
const binHz = 40;
/** Slaney's scale is linear up to here, then logarithmic. */
const breakHz = 1000;
const linearStep = 200 / 3;
const breakMel = breakHz / linearStep;
const logStep = Math.log(6.4) / 27;
const highestHz = 8000;

/** Number of columns of `melFilters`. */
export const melBins = bins;

/**
 * Slaney's triangles of equal area, [bands, 201], bit for bit those of librosa's `filters.mel(sr=16000, n_fft=400,
 * n_mels=bands)`, which OpenAI ships: heights are rounded to float32 both before and after scaling.
 */
export function melFilters(bands: number): Float32Array {
	const step = melOf(highestHz) / (bands + 1);
	const edges = Array.from({ length: bands + 2 }, (_, index) =>
		hzOf(index === bands + 1 ? melOf(highestHz) : index * step),
	);
	const filters = new Float32Array(bands * bins);
	for (let band = 0; band < bands; band++) {
		const [low = 0, middle = 0, high = 0] = edges.slice(band, band + 3);
		const scale = 2 / (high - low);
		for (let bin = 0; bin < bins; bin++) {
			const hz = bin * binHz;
			const height = Math.max(0, Math.min(-(low - hz) / (middle - low), (high - hz) / (high - middle)));
			filters[band * bins + bin] = Math.fround(height) * scale;
		}
	}
	return filters;
}

function melOf(hz: number): number {
	return hz >= breakHz ? breakMel + Math.log(hz / breakHz) / logStep : hz / linearStep;
}

function hzOf(mel: number): number {
	return mel >= breakMel ? breakHz * Math.exp(logStep * (mel - breakMel)) : linearStep * mel;
}
