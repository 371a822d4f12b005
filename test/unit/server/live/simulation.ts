/** A session with a client and a model that do whatever chance has them do, in any interleaving. */

import { EarshotError } from '../../../../src/core/errors.js';
import { InOrder } from '../../../../src/core/live/in-order.js';
import type { LiveCommand, LiveEvent, LiveOptions } from '../../../../src/core/live/live.js';
import { type DetectedSpeech, type TurnEvent, Turns } from '../../../../src/core/live/turns.js';
import { defaultConfig } from '../../../../src/server/live/protocol/read-session.js';
import type { SentEvent, SessionInput, SessionOutput } from '../../../../src/server/live/session/outbox.js';
import { Session } from '../../../../src/server/live/session/session.js';
import { info } from '../../../helpers/fakes.js';
import type { Random } from '../../core/live/random.js';

/** The model's side of a stream: the real rules of turns over speech that comes by chance. */
class SimulatedStream {
	readonly number: number;
	readonly commands: LiveCommand[] = [];
	readonly events: LiveEvent[] = [];
	isOver = false;
	readonly #random: Random;
	readonly #turns: Turns;
	readonly #order = new InOrder();
	/** Turns with a text to come. */
	readonly #texts = new Map<number, string>();
	readonly #ended = new Set<number>();
	#options: LiveOptions;
	#position = 0;
	#speechSince: number | null = null;
	#isEnding = false;

	constructor(number: number, options: LiveOptions, random: Random) {
		this.number = number;
		this.#options = options;
		this.#random = random;
		this.#turns = new Turns(options.turns);
	}

	get isIdle(): boolean {
		return this.#texts.size === 0 && this.commands.length === 0 && this.#options.turns !== null;
	}

	obey(): void {
		if (this.isOver) return;
		const command = this.commands.shift();
		switch (command?.type) {
			case 'audio':
				this.#receive();
				break;
			case 'commit':
				this.#act(this.#turns.commit(command.commit));
				break;
			case 'clear':
				this.#act(this.#turns.clear(command.clear));
				break;
			case 'configure':
				this.#options = command.options;
				this.#turns.configure(command.options.turns);
				if (this.#turns.open === undefined)
					for (const turn of this.#drop()) this.events.push({ type: 'cleared', turn });
				this.events.push({ type: 'configured', configure: command.configure });
				break;
			case 'end':
				this.#act(this.#turns.end());
				this.#isEnding = true;
				this.#endIfDone();
				break;
			case undefined:
		}
	}

	/** A turn grows, or gets its text, or fails. */
	work(isLast: boolean): void {
		const turns = [...this.#texts.keys()];
		if (turns.length === 0 || this.isOver) return;
		const turn = this.#random.pick(turns);
		if (!isLast && this.#random.chance(0.6)) {
			const text = this.#random.pick([' seven', ' one', '.', ' ä', '好']);
			this.#texts.set(turn, this.#texts.get(turn) + text);
			this.events.push({ type: 'delta', turn, text });
		} else if (this.#ended.delete(turn)) {
			const text = this.#texts.get(turn) ?? '';
			this.#texts.delete(turn);
			const end: LiveEvent = this.#random.chance(0.8)
				? { type: 'completed', turn, text, language: null, seconds: 1, revised: false }
				: { type: 'failed', turn, error: new EarshotError('engine_failed', 'by chance') };
			this.events.push(...this.#order.ended(end));
			this.#endIfDone();
		}
	}

	end(how: 'lost' | 'moved'): void {
		this.isOver = true;
		this.events.push(
			how === 'moved' ? { type: how } : { type: how, error: new EarshotError('engine_failed', 'killed') },
		);
	}

	#receive(): void {
		const before = this.#position;
		this.#position += 1024;
		let speech: DetectedSpeech | undefined;
		if (this.#options.turns !== null) {
			const changes = this.#random.chance(0.3);
			const pause = (Turns.pauseMs(this.#options.turns) * 16_000) / 1000;
			const spans = [];
			if (changes && this.#speechSince === null)
				this.#speechSince = Math.max(0, before - this.#random.below(2000));
			else if (changes && this.#speechSince !== null && this.#position - pause > this.#speechSince) {
				spans.push({ start: this.#speechSince, end: this.#position - pause });
				this.#speechSince = null;
			}
			speech = { spans, openSince: this.#speechSince, settled: this.#position - pause };
		}
		this.#act(this.#turns.detect(this.#position, speech));
		const { open } = this.#turns;
		if (open && !this.#texts.has(open.turn)) this.#texts.set(open.turn, '');
		this.events.push({ type: 'processed', atMs: this.#position / 16 });
	}

	#act(events: readonly TurnEvent[]): void {
		for (const event of events) {
			if (event.type === 'started' || event.type === 'stopped') {
				this.events.push({ type: event.type, turn: event.turn, atMs: event.at / 16 });
			} else if (event.type === 'ended') {
				const { turn, commit, from, to } = event;
				if (!this.#texts.has(turn)) this.#texts.set(turn, '');
				this.#ended.add(turn);
				this.#order.committed(turn);
				const seconds = (to - from) / 16_000;
				this.events.push({ type: 'committed', turn, seconds, ...(commit !== undefined && { commit }) });
			} else {
				if (event.type === 'cleared') this.#drop();
				this.events.push(event);
			}
		}
	}

	/** The turn that has not ended, of which nothing comes any more. */
	#drop(): number[] {
		const open = [...this.#texts.keys()].filter((turn) => !this.#ended.has(turn));
		for (const turn of open) this.#texts.delete(turn);
		return open;
	}

	#endIfDone(): void {
		if (!this.#isEnding || this.#order.size > 0 || this.isOver) return;
		this.isOver = true;
		this.events.push({ type: 'ended' });
	}
}

const audio = Buffer.alloc(3072).toString('base64');

const updates = [
	{ type: 'transcription', audio: { input: { turn_detection: null } } },
	{
		type: 'transcription',
		audio: { input: { turn_detection: { type: 'server_vad', silence_duration_ms: 60 } } },
	},
	{ type: 'transcription', audio: { input: { turn_detection: { type: 'semantic_vad' } } } },
	{ type: 'transcription', audio: { input: { transcription: { model: 'other' } } } },
	{ type: 'transcription', audio: { input: { transcription: { model: 'tiny', language: 'en' } } } },
	{ type: 'transcription', audio: { input: { transcription: { model: 'unknown' } } } },
	{ type: 'transcription', audio: { input: { transcription: { language: 'xx' } } } },
	{ type: 'transcription', audio: { output: {} } },
	{ type: 'realtime', instructions: 'Be brief.' },
	'nonsense',
];

export class Simulation {
	readonly sent: SentEvent[] = [];
	/** Ids of the client's events. */
	readonly asked = new Set<string>();
	/** How many of them were commits. */
	commits = 0;
	closed: { readonly code: number; readonly reason: string } | undefined;
	/** Events after the session has closed its socket. */
	late = 0;
	/** Commands that counted as unanswered although the stream had answered all. */
	forgotten = 0;
	readonly #random: Random;
	readonly #session: Session;
	readonly #leases: string[] = [];
	#stream: SimulatedStream | undefined;
	/** Events of a stream that has ended may still be on their way. */
	readonly #before: SimulatedStream[] = [];
	#nextId = 0;

	constructor(random: Random) {
		this.#random = random;
		this.#session = new Session({
			config: { ...defaultConfig, turnDetection: random.chance(0.5) ? null : defaultConfig.turnDetection },
			identity: { id: 'sess_1', expiresAt: 0 },
			newId: (prefix) => `${prefix}_${this.#nextId++}`,
			modelOf: (name) => {
				if (name === 'unknown') throw new EarshotError('model_not_found', 'no such model');
				return name ?? 'tiny';
			},
		});
		this.#perform(this.#session.start());
	}

	step(): void {
		const what = this.#random.below(100);
		if (what < 30) this.#client();
		else if (what < 50) this.#stream?.obey();
		else if (what < 75) this.#deliver();
		else if (what < 90) this.#stream?.work(false);
		else if (what < 97) this.#lease();
		else if (what < 99) this.#kill();
		else if (this.#stream?.isIdle && !this.#stream.isOver) this.#stream.end('moved');
	}

	/** Ends the session: at any moment, or once everything that is on its way has arrived. */
	finish(): void {
		if (this.#random.chance(0.5)) {
			this.#settle();
			this.forgotten = this.#session.unanswered;
		}
		this.#take({ type: 'end', why: { code: 1001, reason: 'over' } });
		this.#settle();
	}

	#settle(): void {
		for (let quiet = 0; quiet < 3; ) {
			const before = this.sent.length + this.#nextId;
			while (this.#leases.length > 0) this.#lease();
			while (this.#stream && !this.#stream.isOver && this.#stream.commands.length > 0) this.#stream.obey();
			for (let count = 0; count < 20; count++) this.#stream?.work(true);
			while (this.#before.some(({ events }) => events.length > 0) || this.#stream?.events.length)
				this.#deliver();
			quiet = before === this.sent.length + this.#nextId ? quiet + 1 : 0;
		}
	}

	#client(): void {
		const what = this.#random.below(20);
		const event_id = `client_${this.#nextId++}`;
		this.asked.add(event_id);
		const send = (event: object) => this.#take({ type: 'client', event: { event_id, ...event } });
		if (what < 10) send({ type: 'input_audio_buffer.append', audio });
		else if (what < 13) {
			this.commits++;
			send({ type: 'input_audio_buffer.commit' });
		} else if (what < 14) send({ type: 'input_audio_buffer.clear' });
		else if (what < 17) send({ type: 'session.update', session: this.#random.pick(updates) });
		else if (what < 18) send({ type: 'conversation.item.retrieve', item_id: 'item_3' });
		else if (what < 19) send({ type: 'response.create' });
		else this.#take({ type: 'malformed', what: 'Expected JSON' });
	}

	#deliver(): void {
		const from = this.#before.find(({ events }) => events.length > 0) ?? this.#stream;
		const event = from?.events.shift();
		if (from && event) this.#take({ type: 'stream', stream: from.number, event });
	}

	#lease(): void {
		const model = this.#leases.shift();
		if (model === undefined) return;
		if (this.#random.chance(0.1))
			this.#take({ type: 'unavailable', error: new EarshotError('out_of_memory', 'no room') });
		else this.#take({ type: 'leased', info: info({ languages: ['en', 'de'] }, model) });
	}

	#kill(): void {
		if (!this.#stream || this.#stream.isOver) return;
		this.#stream.commands.length = 0;
		this.#stream.end('lost');
	}

	#take(input: SessionInput): void {
		const outputs = this.#session.take(input);
		if (this.closed) this.late += outputs.length;
		this.#perform(outputs);
	}

	#perform(outputs: readonly SessionOutput[]): void {
		for (const output of outputs) {
			if (output.type === 'send') this.sent.push(output.event);
			else if (output.type === 'lease') this.#leases.splice(0, Infinity, output.model);
			else if (output.type === 'close') this.closed = output;
			else if (output.type === 'command') this.#stream?.commands.push(output.command);
			else {
				if (this.#stream) this.#before.push(this.#stream);
				this.#stream = new SimulatedStream(output.stream, output.options, this.#random);
			}
		}
	}
}
