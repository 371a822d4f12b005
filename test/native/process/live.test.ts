import { kill } from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifest, modelFixture, samplesOf } from '../../helpers/fixtures.js';
import { type Served, serveFixtures } from '../../helpers/net/real-server.js';
import { type Event, type LiveClient, openTranscription } from '../../helpers/net/socket.js';

let served: Served;
beforeAll(async () => {
	served = await serveFixtures();
});
afterAll(() => served.close());

const completed = 'conversation.item.input_audio_transcription.completed';
const failed = 'conversation.item.input_audio_transcription.failed';
const delta = 'conversation.item.input_audio_transcription.delta';

function pcmOf(recording: string): Buffer {
	const samples = Int16Array.from(samplesOf(recording), (sample) => Math.round(sample * 32_767));
	return Buffer.from(samples.buffer);
}

const silence = (seconds: number) => Buffer.alloc(seconds * 32_000);

const open = (model: string, input: object = {}): Promise<LiveClient> =>
	openTranscription(served.url, model, input);

/** In appends of odd sizes. */
function speak(client: LiveClient, audio: Buffer, size = 4801): void {
	for (let at = 0; at < audio.length; at += size) client.append(audio.subarray(at, at + size));
}

const deltasOf = (client: LiveClient, item: string): string =>
	client.events
		.filter(({ type, item_id }: Event) => type === delta && item_id === item)
		.map((event: Event) => event.delta)
		.join('');

const models = [...new Map(manifest.models.map((model) => [model.type, model])).values()];

describe.each(models.map((model) => [model.type, model] as const))('%s, live', (_, model) => {
	it('transcribes a session like a recording', async () => {
		const client = await open(model.name, { turn_detection: null });
		for (const recording of ['tones-abcde', 'silence', 'tones-edcba']) {
			speak(client, pcmOf(recording));
			client.send({ type: 'input_audio_buffer.commit' });
			const { transcript, item_id, usage } = await client.nextOf(completed);
			const form = new FormData();
			form.append('file', new Blob([wav(pcmOf(recording))]), 'a.wav');
			form.append('model', model.name);
			const answer = await fetch(`${served.url}/v1/audio/transcriptions`, { method: 'POST', body: form });
			const { text } = (await answer.json()) as { text: string };
			expect([recording, transcript]).toEqual([recording, text]);
			expect(deltasOf(client, item_id)).toBe(transcript);
			expect(usage.seconds).toBeCloseTo(pcmOf(recording).length / 32_000, 2);
		}
		client.socket.close();
	}, 60_000);
});

/** A WAV around 16 kHz PCM. */
function wav(pcm: Buffer): Uint8Array<ArrayBuffer> {
	const head = Buffer.alloc(44);
	head.write('RIFF', 0);
	head.writeUInt32LE(36 + pcm.length, 4);
	head.write('WAVEfmt ', 8);
	head.writeUInt32LE(16, 16);
	head.writeUInt16LE(1, 20);
	head.writeUInt16LE(1, 22);
	head.writeUInt32LE(16_000, 24);
	head.writeUInt32LE(32_000, 28);
	head.writeUInt16LE(2, 32);
	head.writeUInt16LE(16, 34);
	head.write('data', 36);
	head.writeUInt32LE(pcm.length, 40);
	return new Uint8Array(Buffer.concat([head, pcm]));
}

describe.each(['tones', 'zipformer_ctc', 'streaming_zipformer_ctc'])('%s, by voice activity', (name) => {
	it('reports each turn with its text and times', async () => {
		const client = await open(name, { turn_detection: { type: 'server_vad', silence_duration_ms: 500 } });
		const recordings = ['tones-abc', 'tones-edcba'];
		speak(
			client,
			Buffer.concat([silence(1), pcmOf('tones-abc'), silence(1.5), pcmOf('tones-edcba'), silence(1)]),
		);
		// A turn may begin before the one before it has its text.
		const ends = [await client.nextOf(completed), await client.nextOf(completed)];
		for (const [index, recording] of recordings.entries()) {
			const { transcript, item_id } = ends[index];
			const of = (type: string) =>
				client.events.find(
					(event) => event.type === `input_audio_buffer.${type}` && event.item_id === item_id,
				);
			expect(transcript).toBe(modelFixture(name).expectedTexts[recording]);
			expect(deltasOf(client, item_id)).toBe(transcript);
			expect(of('speech_started').audio_start_ms).toBeLessThan(of('speech_stopped').audio_end_ms);
			expect(of('committed').previous_item_id).toBe(ends[index - 1]?.item_id ?? null);
		}
	});
});

/** All that is told of an item, but for what is of chance: ids, and where its text is cut. */
function eventsOf({ events }: LiveClient, id: string): Event[] {
	const items = [null, ...new Set(events.map(({ item_id }) => item_id).filter(Boolean))];
	return events
		.filter(({ item_id, item, type }) => (item_id ?? item?.id) === id && type !== delta)
		.map((event) =>
			JSON.parse(JSON.stringify({ ...event, event_id: '' }), (_, value) =>
				items.includes(value) ? items.indexOf(value) : value,
			),
		);
}

describe.each(['zipformer_ctc', 'streaming_nemo_transducer'])('%s', (name) => {
	it('gives the same text and times however the audio is cut', async () => {
		const audio = Buffer.concat([
			silence(1),
			pcmOf('tones-abc'),
			silence(1.5),
			pcmOf('tones-edcba'),
			silence(1),
		]);
		const heardIn = async (size: number): Promise<Event[][]> => {
			const client = await open(name);
			speak(client, audio, size);
			const ends = [await client.nextOf(completed), await client.nextOf(completed)];
			client.socket.close();
			return ends.map(({ item_id }) => eventsOf(client, item_id));
		};
		const whole = await heardIn(audio.length);
		expect(whole.map(({ length }) => length)).toEqual([6, 6]);
		// A millisecond, odd numbers of bytes, a hundredth and 1.37 seconds.
		for (const size of [32, 333, 640, 43_841]) expect(await heardIn(size)).toEqual(whole);
	});
});

describe('a streaming model', () => {
	it.each(['streaming_nemo_transducer', 'streaming_zipformer_ctc'])(
		'gives the same text of a turn with pauses, however the audio is cut: %s',
		async (name) => {
			const recordings = ['tones-abc', 'tones-edcba', 'tones-abcde'];
			const audio = Buffer.concat(recordings.flatMap((each) => [pcmOf(each), silence(3)]));
			for (const size of [audio.length, 43_841, 640]) {
				const client = await open(name, { turn_detection: null });
				speak(client, audio, size);
				client.send({ type: 'input_audio_buffer.commit' });
				const { transcript, item_id } = await client.nextOf(completed);
				expect([size, transcript]).toEqual([size, 'a b c e d c b a a b c d e']);
				expect(deltasOf(client, item_id)).toBe(transcript);
				client.socket.close();
			}
		},
	);

	it('publishes words during speech', async () => {
		const client = await open('streaming_zipformer_ctc');
		speak(client, pcmOf('tones-deadbead'));
		const started = await client.nextOf('input_audio_buffer.speech_started');
		const first = await client.nextOf(delta);
		expect(first.item_id).toBe(started.item_id);
		expect(client.events.some(({ type }) => type === 'input_audio_buffer.speech_stopped')).toBe(false);
		speak(client, silence(1.5));
		const { transcript } = await client.nextOf(completed);
		expect(transcript).toBe(modelFixture('streaming_zipformer_ctc').expectedTexts['tones-deadbead']);
	});
});

describe('Whisper, with partial text', () => {
	// When it comes is decided by what else runs, so that test/unit/pipeline tells that it comes while somebody speaks.
	it('ends with the text of a recording, and has taken back no published text', async () => {
		const client = await open('tones', { partials: true });
		for (const piece of pieces(pcmOf('tones-deadbead'), 16_000)) client.append(piece);
		speak(client, silence(1.5));
		const { transcript, item_id } = await client.nextOf(completed);
		expect(deltasOf(client, item_id)).toBe(transcript);
		expect(transcript).toBe(modelFixture('tones').expectedTexts['tones-deadbead']);
	}, 60_000);
});

function pieces(audio: Buffer, size: number): Buffer[] {
	return Array.from({ length: Math.ceil(audio.length / size) }, (_, at) =>
		audio.subarray(at * size, (at + 1) * size),
	);
}

describe('the rates', () => {
	it.each(['audio/pcmu', 'audio/pcma'])('of %s are transcribed', async (type) => {
		const client = await open('zipformer_ctc', { format: { type }, turn_detection: null });
		const samples = samplesOf('tones-abc').filter((_, at) => at % 2 === 0);
		client.append(Uint8Array.from(samples, type === 'audio/pcmu' ? toMuLaw : toALaw));
		client.send({ type: 'input_audio_buffer.commit' });
		expect((await client.nextOf(completed)).transcript).toBe('a b c');
	});
});

function toMuLaw(sample: number): number {
	const size = Math.min(Math.abs(Math.round(sample * 32_767)), 32_635) + 132;
	const exponent = Math.max(0, Math.floor(Math.log2(size)) - 7);
	return ~((sample < 0 ? 0x80 : 0) | (exponent << 4) | ((size >> (exponent + 3)) & 0x0f)) & 0xff;
}

function toALaw(sample: number): number {
	const size = Math.min(Math.abs(Math.round(sample * 32_767)), 32_767);
	const exponent = Math.max(0, Math.floor(Math.log2(Math.max(1, size))) - 7);
	const mantissa = exponent === 0 ? size >> 4 : size >> (exponent + 3);
	return ((sample < 0 ? 0 : 0x80) | (exponent << 4) | (mantissa & 0x0f)) ^ 0x55;
}

describe('a process that is killed', () => {
	it('fails its current turn, and the session continues', async () => {
		const client = await open('tones');
		speak(client, pcmOf('tones-abc'));
		const { item_id } = await client.nextOf('input_audio_buffer.speech_started');
		const { pid } = served.pool.models.find(({ id }) => id === 'tones')!;
		kill(pid!, 'SIGKILL');
		const lost = await client.nextOf(failed);
		expect(lost).toMatchObject({ item_id, error: { code: 'engine_failed' } });
		speak(client, Buffer.concat([silence(1), pcmOf('tones-edcba'), silence(1.5)]));
		const { transcript } = await client.nextOf(completed);
		expect(transcript).toBe(modelFixture('tones').expectedTexts['tones-edcba']);
	});
});
