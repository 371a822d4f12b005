import { describe, expect, test } from 'vitest';
import { featureBins, featuresOf, frameCountOf } from '../../../src/diarization/features.js';
import { FourierTransform } from '../../../src/diarization/fourier.js';
import { matchedNames } from '../../../src/diarization/known-voices.js';
import { dot, groupsBy, type Merge, mergesOf, nearestFirst, unit } from '../../../src/diarization/linkage.js';
import { Semaphore } from '../../../src/diarization/semaphore.js';
import { enrolled } from '../../../src/speakers/enrolment.js';

const yieldNow = async (): Promise<void> => {};

/** Numbers that are the same every time. */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32 - 0.5;
	};
}

test('two signals are transformed at once as each by the definition', () => {
	const random = seeded(1);
	const signals = [0, 1].map(() => Array.from({ length: 16 }, random));
	const transform = new FourierTransform(16);
	signals[0]?.forEach((value, at) => {
		transform.re[at] = value;
	});
	signals[1]?.forEach((value, at) => {
		transform.im[at] = value;
	});
	transform.run();
	const powers = [new Float64Array(8), new Float64Array(8)] as const;
	transform.powers(...powers);
	signals.forEach((signal, which) => {
		for (let frequency = 0; frequency < 8; frequency++) {
			const angle = (at: number) => (2 * Math.PI * frequency * at) / 16;
			const re = signal.reduce((sum, value, at) => sum + value * Math.cos(angle(at)), 0);
			const im = signal.reduce((sum, value, at) => sum - value * Math.sin(angle(at)), 0);
			expect(powers[which]?.[frequency]).toBeCloseTo(re ** 2 + im ** 2, 10);
		}
	});
});

describe('features', () => {
	test.each([
		[0, 0],
		[79, 0],
		[80, 1],
		[16_000, 100],
	])('of %i samples are %i frames', (samples, frames) => {
		expect(frameCountOf(samples)).toBe(frames);
		expect(featuresOf(new Float32Array(samples))).toHaveLength(frames * featureBins);
	});

	test('have no mean in any bin, and are as many as bins where the sound is short', () => {
		const random = seeded(2);
		const features = featuresOf(Float32Array.from({ length: 8000 }, random));
		for (let bin = 0; bin < featureBins; bin++) {
			let sum = 0;
			for (let at = bin; at < features.length; at += featureBins) sum += features[at] ?? 0;
			expect(Math.abs(sum)).toBeLessThan(1e-3);
		}
		expect([...featuresOf(new Float32Array(100).fill(0.1))].every(Number.isFinite)).toBe(true);
	});

	test('are loudest in the bin of a tone', () => {
		const tone = (hz: number) => (at: number) => Math.sin((2 * Math.PI * hz * at) / 16_000);
		const half = Float32Array.from({ length: 16_000 }, (_, at) =>
			at < 8000 ? tone(300)(at) : tone(3000)(at),
		);
		const features = featuresOf(half);
		const loudest = (frame: number) => {
			const bins = [...features.subarray(frame * featureBins, (frame + 1) * featureBins)];
			return bins.indexOf(Math.max(...bins));
		};
		expect(loudest(25)).toBeLessThan(loudest(75));
	});
});

describe('clustering', () => {
	test('gives the tree of merging the nearest pair again and again', async () => {
		const random = seeded(3);
		for (let round = 0; round < 20; round++) {
			const vectors = Array.from({ length: 12 }, () => unit(Float32Array.from({ length: 4 }, random))!);
			const merges = await mergesOf(vectors, yieldNow);
			for (const distance of [0.3, 0.6, 0.9, 1.2])
				expect(groupsWithin(merges, distance)).toEqual(plain(vectors, distance));
		}
	});

	test('of one vector and of none has no merges', async () => {
		expect(await mergesOf([], yieldNow)).toEqual([]);
		expect(groupsWithin(await mergesOf([Float32Array.of(1)], yieldNow), 1)).toEqual([[0]]);
	});

	test('of thousands of vectors yields to other work, and ends if that throws', async () => {
		const vectors = Array.from({ length: 3000 }, (_, at) => Float32Array.of(1, at / 3000));
		const running = mergesOf(vectors, async () => {
			throw new Error('cancelled');
		});
		await expect(running).rejects.toThrow('cancelled');
	});

	test('no vector has length 1 of nothing', () => {
		expect(unit([0, 0])).toBeNull();
		expect(unit([Number.NaN])).toBeNull();
		expect([...(unit([3, 4]) ?? [])].map((value) => value.toFixed(1))).toEqual(['0.6', '0.8']);
	});
});

const groupsWithin = (merges: readonly Merge[], distance: number): number[][] => {
	const near = nearestFirst(merges).filter((at) => (merges[at]?.distance ?? 0) <= distance);
	return groupsBy(merges, new Set(near));
};

/** Average linkage, straight from its definition. */
function plain(vectors: readonly Float32Array[], limit: number): number[][] {
	const groups = vectors.map((_, at) => [at]);
	for (;;) {
		let best = { distance: limit, a: -1, b: -1 };
		for (let a = 0; a < groups.length; a++)
			for (let b = 0; b < a; b++) {
				const pairs = groups[a]!.flatMap((x) => groups[b]!.map((y) => 1 - dot(vectors[x]!, vectors[y]!)));
				const distance = pairs.reduce((sum, each) => sum + each, 0) / pairs.length;
				if (distance <= best.distance) best = { distance, a, b };
			}
		if (best.a < 0) break;
		groups[best.b]!.push(...groups[best.a]!);
		groups.splice(best.a, 1);
	}
	return groups.map((group) => group.sort((x, y) => x - y)).sort((x, y) => x[0]! - y[0]!);
}

describe('known voices', () => {
	const towards = (degrees: number) =>
		Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180));
	const known = [
		{ name: 'Ann', voice: towards(0) },
		{ name: 'Bob', voice: towards(90) },
	];

	test.each([
		['the nearest', [10, 80], ['Ann', 'Bob']],
		['no name for a voice far from all', [10, 200], ['Ann', null]],
		['one name for two who are both near it', [5, 20], ['Ann', 'Ann']],
		['a name for the nearer alone of two that differ', [0, -54], ['Ann', null]],
		['each the other way about, the nearer pair first', [40, 10], ['Bob', 'Ann']],
	])('are %s', (_, angles, expected) => {
		expect(matchedNames(angles.map(towards), known)).toEqual(expected);
	});

	test('have no name if the voice is not enrolled', () => {
		expect(matchedNames([null, towards(0)], known)).toEqual([null, 'Ann']);
	});
});

describe('an enrolled voice', () => {
	const of = (seconds: number, voice: number[] | null) => ({
		turns: [{ start: 0, end: seconds, speaker: 0 }],
		speakers: [{ name: null, voice }],
		fingerprint: 'f',
	});

	test('is the mean of its recordings, by their speech', () => {
		const { voice, seconds } = enrolled([of(3, [1, 0]), of(4, [0.6, 0.8])], 'FILE');
		expect(voice.map((value) => value.toFixed(2))).toEqual(['0.86', '0.51']);
		expect(seconds).toBe(7);
	});

	test.each([
		['are of different people', [of(3, [1, 0]), of(3, [0.2, 0.98])], 'of different people'],
		[
			'are in part without speech',
			[of(3, [1, 0]), of(0, null)],
			'no speech was detected in recording 2 of 2',
		],
	])('is refused where its recordings %s', (_, found, message) => {
		expect(() => enrolled(found, 'FILE')).toThrow(message);
	});
});

describe('semaphore', () => {
	test('let so many in, and the next in order as one leaves', async () => {
		const semaphore = new Semaphore(1);
		const { signal } = new AbortController();
		const order: string[] = [];
		const leave = await semaphore.acquire(signal);
		const later = ['a', 'b'].map(async (name) => {
			const out = await semaphore.acquire(signal);
			order.push(name);
			out();
		});
		expect(order).toEqual([]);
		leave();
		await Promise.all(later);
		expect(order).toEqual(['a', 'b']);
	});

	test('forgets a waiting recording that is cancelled', async () => {
		const semaphore = new Semaphore(1);
		const leave = await semaphore.acquire(new AbortController().signal);
		const control = new AbortController();
		const waiting = semaphore.acquire(control.signal);
		control.abort();
		await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
		leave();
		await expect(semaphore.acquire(new AbortController().signal)).resolves.toBeTypeOf('function');
	});
});
