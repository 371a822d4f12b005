import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { noVad } from '../../../src/audio/vad.js';
import { finished } from '../../../src/core/speech/assemble.js';
import type { ClipEvent, PipelineEvent } from '../../../src/core/speech/events.js';
import {
	defaultChunking,
	type PieceOfWork,
	type TranscribeOptions,
} from '../../../src/core/speech/options.js';
import { joinedGroups } from '../../../src/jobs/parts.js';
import type { PipelineParts } from '../../../src/pipeline/parts.js';
import { runPipeline } from '../../../src/pipeline/pipeline.js';
import { Scheduler } from '../../../src/scheduler/scheduler.js';
import { plainTranscription } from '../../helpers/options.js';
import { info, ScriptedEngine, settled } from '../../helpers/scripted-engine.js';
import { ScriptedRecording } from '../../helpers/scripted-recording.js';

const none = new AbortController().signal;
const options: TranscribeOptions = {
	...plainTranscription,
	chunking: { ...defaultChunking, prefixPaddingMs: 0 },
};

const spoken = (count: number, seconds = 2) =>
	Array.from({ length: count }, (_, at) => ({ start: at * 5 + 1, end: at * 5 + 1 + seconds }));

/** A recording of so many channels, of which each but the first is one second later. */
function arrange(spans = spoken(12), { seconds = 70, channels = 1, noDetector = false } = {}) {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-groups-'));
	onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
	const recordings = Array.from(
		{ length: channels },
		(_, channel) =>
			new ScriptedRecording(
				seconds,
				spans.map(({ start, end }) => ({ start: start + channel, end: end + channel })),
			),
	);
	for (const recording of recordings) recording.channels = channels;
	const engine = new ScriptedEngine({ slots: 2, mergeGapSeconds: 0.1, minClipSeconds: 1.5 });
	let opened = 0;
	const of = (channel: number) => recordings[channel % channels]!;
	const parts: PipelineParts = {
		info,
		limits: engine.limits,
		scheduler: new Scheduler(engine, 1),
		openAudio: (_, channel) => of(channel ?? 0).reader(),
		openVad: noDetector ? noVad.open : () => of(opened++).vad(),
	};
	return { folder, engine, parts, recordings };
}

async function run(
	{ parts, engine }: ReturnType<typeof arrange>,
	piece?: PieceOfWork,
	{ file = 'a.wav', more = {} }: { file?: string; more?: Partial<TranscribeOptions> } = {},
): Promise<PipelineEvent[]> {
	const events: PipelineEvent[] = [];
	let isOver = false;
	const asked = { ...options, ...more, ...(piece && { piece }) };
	const all = (async () => {
		for await (const event of runPipeline(parts, { path: file }, asked, none)) events.push(event);
	})().finally(() => {
		isOver = true;
	});
	all.catch(() => {});
	while (!isOver) {
		await settled();
		for (const each of [...engine.running]) each.finish();
	}
	await all;
	return events;
}

const clipsOf = (events: readonly PipelineEvent[]): ClipEvent[] =>
	events.filter((event) => event.type === 'clip');
const groupsOf = (events: readonly PipelineEvent[]) => events.filter((event) => event.type === 'group');
const endOf = (events: readonly PipelineEvent[]) => {
	const last = events.at(-1);
	if (last?.type !== 'ended') throw new Error('it has not ended');
	return last;
};

/** What the engine was given, in order. */
const given = ({ engine }: ReturnType<typeof arrange>) => engine.ran.flatMap(({ clips }) => clips);

/** The same, to be compared: by digests of the samples, in the order of the recording. */
const placesOf = (here: ReturnType<typeof arrange>) =>
	given(here)
		.map(({ samples, ...clip }) => ({
			...clip,
			samples: createHash('sha256').update(samples).digest('hex'),
		}))
		.sort((a, b) => a.start - b.start || (a.channel ?? 0) - (b.channel ?? 0));

describe('a recording that is cut into groups', () => {
	it.each([
		['of one channel', {}, {}],
		['whose channels are transcribed apart', { channels: 2 }, { channels: 'split' as const }],
		['without a detector of speech', { noDetector: true }, {}],
	])(
		'%s: the engine is given the same clips, and the groups make the same transcript',
		async (_, how, more) => {
			const whole = arrange(spoken(12), how);
			const seen = await run(whole, undefined, { more });
			const about = { model: 'm', task: 'transcribe', language: null } as const;
			let expected: unknown;
			for await (const event of finished(from(seen), about))
				if (event.type === 'done') expected = event.transcript;

			const parted = arrange(spoken(12), how);
			const cut = await run(parted, { kind: 'cut', folder: parted.folder, seconds: 6, first: 0 }, { more });
			expect(parted.engine.ran).toEqual([]);
			const groups = groupsOf(cut);
			expect(groups.length).toBeGreaterThan(1);
			const parts = [];
			for (const { file, group } of groups) {
				const events = await run(parted, { kind: 'group' }, { file: file!, more });
				expect(events[0]).toEqual({ type: 'started', duration: group.end });
				expect(clipsOf(events)).toHaveLength(group.clips);
				parts.push({ clips: clipsOf(events), timing: endOf(events).timing });
			}
			expect(placesOf(parted)).toEqual(placesOf(whole));
			const { duration, timing } = endOf(cut);
			const division = { groups: groups.length, duration, language: null, timing };
			expect((await joinedGroups(about, division, parts)).transcript).toEqual(expected);
			for (const recording of parted.recordings) expect(recording.open).toBe(0);
		},
	);

	it('has consecutive groups from the start, each of the requested length or with the rest', async () => {
		const here = arrange();
		const cut = await run(here, { kind: 'cut', folder: here.folder, seconds: 6, first: 0 });
		const groups = groupsOf(cut).map(({ group }) => group);
		expect(groups).toEqual([
			{ group: 0, start: 0, end: 13, clips: 3 },
			{ group: 1, start: 13, end: 28, clips: 3 },
			{ group: 2, start: 28, end: 43, clips: 3 },
			{ group: 3, start: 43, end: 58, clips: 3 },
		]);
		expect(endOf(cut)).toMatchObject({ duration: 70 });
	});

	it('lists groups before the first requested one without their files', async () => {
		const here = arrange();
		const cut = await run(here, { kind: 'cut', folder: here.folder, seconds: 6, first: 3 });
		expect(groupsOf(cut).map(({ file }) => file === null)).toEqual([true, true, true, false]);
		expect(readdirSync(here.folder)).toHaveLength(1);
	});

	it('has no groups without speech, and reports a truncated file', async () => {
		const here = arrange([]);
		here.recordings[0]!.truncated = true;
		const cut = await run(here, { kind: 'cut', folder: here.folder, seconds: 6, first: 0 });
		expect(groupsOf(cut)).toEqual([]);
		expect(endOf(cut)).toMatchObject({ duration: 70, truncated: true });
		const division = { groups: 0, duration: 70, truncated: true, language: 'en', timing: endOf(cut).timing };
		const { transcript } = await joinedGroups({ model: 'm', task: 'transcribe' }, division, []);
		expect(transcript).toMatchObject({ text: '', duration: 70, language: 'en' });
		expect(transcript.warnings).toMatchObject([{ code: 'truncated_audio' }]);
	});

	it('ends with the fault of the recording, and at once when it is cancelled', async () => {
		const here = arrange();
		here.recordings[0]!.failure = { at: 40, error: new Error('the file is broken') };
		const cutting = { kind: 'cut', folder: here.folder, seconds: 6, first: 0 } as const;
		await expect(run(here, cutting)).rejects.toThrow('the file is broken');
		const control = new AbortController();
		const other = arrange();
		const events = runPipeline(other.parts, { path: 'a' }, { ...options, piece: cutting }, control.signal);
		await events.next();
		control.abort();
		await expect(events.next()).rejects.toMatchObject({ code: 'cancelled' });
		await settled();
		expect(other.recordings[0]!.open).toBe(0);
	});
});

describe('the file of a group', () => {
	async function oneFile() {
		const here = arrange(spoken(1), { seconds: 10 });
		const cut = await run(here, { kind: 'cut', folder: here.folder, seconds: 6, first: 0 });
		return { here, file: groupsOf(cut)[0]!.file! };
	}

	it('takes two bytes for samples of 16 bits, and four for others', async () => {
		const { file } = await oneFile();
		expect(statSync(file).size).toBeGreaterThan(4 * 2 * 16_000);
		const sample = ScriptedRecording.sample;
		onTestFinished(() => {
			ScriptedRecording.sample = sample;
		});
		ScriptedRecording.sample = (at) => ((at % 65_536) - 32_768) / 32_768;
		const { here, file: small } = await oneFile();
		expect(statSync(small).size).toBeLessThan(3 * 2 * 16_000);
		await run(here, { kind: 'group' }, { file: small });
		const [clip] = given(here);
		expect(clip!.samples[0]).toBe(ScriptedRecording.sample(16_000));
		expect(clip!.samples).toHaveLength(2 * 16_000);
	});

	it.each([
		['is cut off', (file: string) => truncateSync(file, 50_000)],
		['has lost its header', (file: string) => truncateSync(file, 40)],
		[
			'is something else',
			(file: string) => writeFileSync(file, 'RIFF and nothing that anybody would expect'),
		],
		['is empty', (file: string) => truncateSync(file, 0)],
	])('that %s is refused', async (_, spoil) => {
		const { here, file } = await oneFile();
		spoil(file);
		await expect(run(here, { kind: 'group' }, { file })).rejects.toMatchObject({
			code: 'internal',
			message: expect.stringContaining('a file of clips cannot be read'),
		});
		expect(here.engine.ran).toEqual([]);
	});
});

async function* from(events: readonly PipelineEvent[]): AsyncGenerator<PipelineEvent> {
	yield* events;
}
