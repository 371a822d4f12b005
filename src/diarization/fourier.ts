/** The discrete Fourier transform of real signals. Pure. */

/** Transforms two real signals of `size` values at once, a power of two. Reuses its memory: one call at a time. */
export class FourierTransform {
	readonly size: number;
	/** The first signal, then its transform's real part; the second, then the imaginary part. */
	readonly re: Float64Array;
	readonly im: Float64Array;
	readonly #cos: Float64Array;
	readonly #sin: Float64Array;
	readonly #reversed: Uint16Array;

	constructor(size: number) {
		this.size = size;
		this.re = new Float64Array(size);
		this.im = new Float64Array(size);
		this.#cos = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
		this.#sin = Float64Array.from({ length: size / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
		const bits = Math.log2(size);
		this.#reversed = Uint16Array.from({ length: size }, (_, index) => {
			let reversed = 0;
			for (let bit = 0; bit < bits; bit++) if (index & (1 << bit)) reversed |= 1 << (bits - 1 - bit);
			return reversed;
		});
	}

	/** In place: the transform of `re` + i·`im`. Radix 2, decimation in time. */
	run(): void {
		this.#reorder();
		const { re, im, size } = this;
		const [cos, sin] = [this.#cos, this.#sin];
		for (let half = 1; half < size; half *= 2) {
			const step = size / (2 * half);
			for (let from = 0; from < size; from += 2 * half) {
				for (let at = 0; at < half; at++) {
					const [a, b] = [from + at, from + at + half];
					const [c, s] = [cos[at * step] as number, sin[at * step] as number];
					const [x, y] = [re[b] as number, im[b] as number];
					const real = x * c - y * s;
					const imaginary = x * s + y * c;
					re[b] = (re[a] as number) - real;
					im[b] = (im[a] as number) - imaginary;
					re[a] = (re[a] as number) + real;
					im[a] = (im[a] as number) + imaginary;
				}
			}
		}
	}

	/** After `run`: the powers of both signals at the frequencies below half the sample rate, size / 2 each. */
	powers(first: Float64Array, second: Float64Array): void {
		const { re, im, size } = this;
		for (let at = 0; at < size / 2; at++) {
			const mirrored = (size - at) % size;
			const [a, b] = [re[at] as number, im[at] as number];
			const [c, d] = [re[mirrored] as number, im[mirrored] as number];
			first[at] = ((a + c) ** 2 + (b - d) ** 2) / 4;
			second[at] = ((b + d) ** 2 + (c - a) ** 2) / 4;
		}
	}

	#reorder(): void {
		const { re, im } = this;
		for (let at = 0; at < this.size; at++) {
			const to = this.#reversed[at] as number;
			if (to <= at) continue;
			[re[at], re[to]] = [re[to] as number, re[at] as number];
			[im[at], im[to]] = [im[to] as number, im[at] as number];
		}
	}
}
