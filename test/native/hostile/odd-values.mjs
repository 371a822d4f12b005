/** Values that no type of the addon or the library allows somewhere: detached, huge, foreign, or not what they seem. */

import vm from 'node:vm';

/** Thrown by the getters of arguments, which is passed on. */
export const thrownByGetter = new Error('thrown by a getter');

export const tone = (length) => Float32Array.from({ length }, (_, index) => Math.sin(index / 9) * 0.3);

function detached(array) {
	structuredClone(array.buffer, { transfer: [array.buffer] });
	return array;
}

function shrunk() {
	const buffer = new ArrayBuffer(64_000, { maxByteLength: 64_000 });
	const array = new Float32Array(buffer, 16);
	buffer.resize(8);
	return array;
}

/** Each makes a fresh value. */
export const oddValues = [
	() => undefined,
	() => null,
	() => Number.NaN,
	() => Number.POSITIVE_INFINITY,
	() => Number.NEGATIVE_INFINITY,
	() => -1,
	() => -0.5,
	() => 1.5,
	() => 2 ** 31,
	() => 2 ** 53,
	() => 1e300,
	() => 1e-300,
	() => 10n ** 30n,
	() => true,
	() => '',
	() => 'a\0b',
	() => '\ud800',
	() => 'x'.repeat(1e6),
	() => Symbol('odd'),
	() => () => 1,
	() => class Odd {},
	() => ({}),
	() => ({ length: 5 }),
	() => Object.create(null),
	() => [],
	() => [undefined, null, 'x', {}],
	() => new Array(2 ** 32 - 1),
	() => Object.defineProperty([1, 2], 0, { get: raise, enumerable: true }),
	() => new Proxy({}, { get: raise, ownKeys: raise, has: raise }),
	() => new Proxy({}, { get: () => new Proxy({}, {}) }),
	() => new Proxy(tone(16), {}),
	() => new Proxy([tone(16)], {}),
	() => new Date(Number.NaN),
	() => new Map([[1, 2]]),
	() => Promise.resolve(1),
	() => tone(16),
	() => tone(16_001),
	() => new Float32Array(16_000).fill(Number.NaN),
	() => new Float32Array(16_000).fill(Number.POSITIVE_INFINITY),
	() => new Float32Array(0),
	() => new Float32Array(new SharedArrayBuffer(64_000)),
	() => new Float64Array(16_000),
	() => new Uint8Array(64_003),
	() => new Uint8Array(new ArrayBuffer(64_003), 3),
	() => new Uint8Array(new SharedArrayBuffer(4096)),
	() => new Uint8ClampedArray(16),
	() => new BigInt64Array(16),
	() => new DataView(new ArrayBuffer(16)),
	() => new ArrayBuffer(64_000),
	() => new SharedArrayBuffer(64_000),
	() => detached(tone(16_000)),
	() => detached(new Uint8Array(4096)),
	shrunk,
	() => vm.runInNewContext('new Float32Array(16000)'),
	() => vm.runInNewContext('new Uint8Array(4096)'),
	() => vm.runInNewContext('({})'),
];

export function raise() {
	throw thrownByGetter;
}
