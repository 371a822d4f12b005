import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { compressionRatio } from '../../../../src/core/speech/text.js';

const usual = (text: string) => Buffer.byteLength(text) / deflateSync(text).length;

const words =
	'the quick brown fox jumps over a lazy dog and так далее 日本語 it said, while 1,024 others slept.'.split(
		' ',
	);

/** Words in an order that looks random and is always the same. */
function sentence(seed: number, count: number): string {
	let state = seed;
	const next = () => {
		state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
		return words[Math.floor((state / 2 ** 31) * words.length)] ?? '';
	};
	return Array.from({ length: count }, next).join(' ');
}

test('the compression ratio is that of zlib with its usual settings, however long the text is', () => {
	const texts = Array.from({ length: 300 }, (_, seed) => sentence(seed + 1, seed));
	// What is repeated lies as far back as it can.
	const far = texts.map((text, seed) => text.slice(0, 450) + sentence(seed + 1000, 20) + text.slice(0, 450));
	const looped = [1, 2, 7, 40].map((length) => sentence(5, length).repeat(99).slice(0, 1000));
	for (const text of [...texts, ...far, ...looped]) expect(compressionRatio(text)).toBe(usual(text));
});
