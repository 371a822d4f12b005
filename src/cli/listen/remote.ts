/** A live session of a running server, with the interface of the library's `listen`. */

import type { WebSocket } from 'ws';
import { EarshotError, type ErrorCode, errorCodes } from '../../core/errors.js';
import { EventQueue } from '../../core/event-queue.js';
import type { ListenEvent } from '../../library/listen.js';

export interface RemoteOptions {
	readonly model: string | undefined;
	readonly language: string | undefined;
	readonly prompt: string | undefined;
	readonly sampleRate: number;
	readonly partials: boolean;
}

/** The fields of server events that this client uses. */
interface ServerEvent {
	readonly type: string;
	readonly event_id?: string;
	readonly item_id?: string;
	readonly audio_start_ms?: number;
	readonly audio_end_ms?: number;
	readonly delta?: string;
	readonly transcript?: string;
	readonly languages?: readonly { readonly code?: string }[];
	readonly usage?: { readonly seconds?: number };
	readonly error?: {
		readonly code?: string | null;
		readonly message?: string;
		readonly event_id?: string | null;
	};
}

const lastCommit = 'the-end';
const prefix = 'conversation.item.input_audio_transcription.';

export class RemoteListening implements AsyncIterable<ListenEvent> {
	readonly #socket: WebSocket;
	readonly #events = new EventQueue<ListenEvent>();
	readonly #turns = new Map<string, number>();
	/** Turns whose speech has started but not stopped. */
	readonly #speaking = new Set<string>();
	readonly #sampleRate: number;
	#writtenBytes = 0;
	/** Turns whose final text has not arrived. */
	readonly #unfinished = new Set<string>();
	#isAnswered = false;
	#isFinished = false;

	private constructor(socket: WebSocket, sampleRate: number) {
		this.#socket = socket;
		this.#sampleRate = sampleRate;
		socket.on('message', (data) => this.#receive(String(data)));
		socket.on('error', () => {});
		socket.on('close', (_, reason) => {
			const why = String(reason) === '' ? '' : `: ${String(reason)}`;
			this.#finish(new EarshotError('closed', `the server has closed the session${why}`));
		});
	}

	/** Resolves when the server accepts audio. Throws the error of opening the socket, or EarshotError with the server's
	 * refusal. */
	static async open(socket: WebSocket, options: RemoteOptions): Promise<RemoteListening> {
		await opened(socket);
		const { model, language, prompt, sampleRate, partials } = options;
		const listening = new RemoteListening(socket, sampleRate);
		const input = {
			format: { type: 'audio/pcm', rate: sampleRate },
			...(partials ? { partials } : {}),
			transcription: {
				...(model === undefined ? {} : { model }),
				...(language === undefined ? {} : { language }),
				...(prompt === undefined ? {} : { prompt }),
			},
		};
		await listening.#send({ type: 'session.update', session: { type: 'transcription', audio: { input } } });
		return listening;
	}

	/** Resolves when the server is ready for more. */
	async write(pcm: Uint8Array): Promise<void> {
		this.#writtenBytes += pcm.length;
		if (!this.#isFinished)
			await this.#send({
				type: 'input_audio_buffer.append',
				audio: Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength).toString('base64'),
			});
	}

	end(): void {
		void this.#send({ type: 'input_audio_buffer.commit', event_id: lastCommit });
		// Its reply follows that of the commit, which may be an error, or may come from voice activity detection.
		void this.#send({ type: 'input_audio_buffer.clear' });
	}

	close(): void {
		this.#finish();
	}

	[Symbol.asyncIterator](): AsyncIterator<ListenEvent> {
		return this.#events[Symbol.asyncIterator]();
	}

	async #send(event: object): Promise<void> {
		await new Promise<void>((resolve) => this.#socket.send(JSON.stringify(event), () => resolve()));
	}

	#receive(text: string): void {
		const event = eventOf(text);
		if (event) this.#take(event);
		else this.#finish(new EarshotError('not_found', 'The server at that address is not an Earshot server'));
	}

	#take(event: ServerEvent): void {
		const { type, item_id = '' } = event;
		const push = (what: ListenEvent) => this.#events.push(what);
		switch (type) {
			case 'input_audio_buffer.speech_started':
				this.#speaking.add(item_id);
				push({ type: 'started', turn: this.#turn(item_id), at: (event.audio_start_ms ?? 0) / 1000 });
				break;
			case 'input_audio_buffer.speech_stopped':
				this.#speaking.delete(item_id);
				push({ type: 'stopped', turn: this.#turn(item_id), at: (event.audio_end_ms ?? 0) / 1000 });
				break;
			case 'input_audio_buffer.committed':
				// The turn was ended by the last commit: its speech ends with the audio.
				if (this.#speaking.delete(item_id))
					push({ type: 'stopped', turn: this.#turn(item_id), at: this.#writtenBytes / 2 / this.#sampleRate });
				this.#turn(item_id);
				break;
			case `${prefix}delta`:
				push({ type: 'delta', turn: this.#turn(item_id), text: event.delta ?? '' });
				break;
			case `${prefix}completed`:
				push({
					type: 'completed',
					turn: this.#turn(item_id),
					text: event.transcript ?? '',
					language: event.languages?.[0]?.code ?? null,
					seconds: event.usage?.seconds ?? 0,
				});
				this.#unfinished.delete(item_id);
				break;
			case `${prefix}failed`:
				push({ type: 'failed', turn: this.#turn(item_id), error: errorOf(event) });
				this.#unfinished.delete(item_id);
				break;
			case 'error':
				// An error in reply to the last commit: there was nothing left to transcribe.
				if (event.error?.event_id !== lastCommit) this.#finish(errorOf(event));
				break;
			case 'input_audio_buffer.cleared':
				this.#isAnswered = true;
				break;
		}
		if (this.#isAnswered && this.#unfinished.size === 0) this.#finish();
	}

	#turn(item: string): number {
		const known = this.#turns.get(item);
		if (known !== undefined) return known;
		this.#turns.set(item, this.#turns.size);
		this.#unfinished.add(item);
		return this.#turns.size - 1;
	}

	#finish(error?: EarshotError): void {
		if (this.#isFinished) return;
		this.#isFinished = true;
		if (error) this.#events.fail(error);
		else this.#events.end();
		this.#socket.close(1000);
	}
}

/** Throws EarshotError with the server's refusal, or the error of the connection. */
async function opened(socket: WebSocket): Promise<void> {
	await new Promise<void>((resolve, reject) => {
		socket.once('open', resolve);
		socket.once('error', reject);
		socket.once('unexpected-response', (_, answer) => {
			const pieces: Buffer[] = [];
			answer.on('data', (piece: Buffer) => pieces.push(piece));
			answer.on('end', () => reject(refusalOf(answer.statusCode ?? 0, Buffer.concat(pieces).toString())));
		});
	});
}

/** undefined: it is none. */
function eventOf(text: string): ServerEvent | undefined {
	try {
		const value: unknown = JSON.parse(text);
		return typeof value === 'object' && value !== null ? (value as ServerEvent) : undefined;
	} catch {
		return undefined;
	}
}

function refusalOf(status: number, body: string): EarshotError {
	try {
		return errorOf(JSON.parse(body) as ServerEvent);
	} catch {
		return new EarshotError('not_found', `The server at that address is not an Earshot server (${status})`);
	}
}

function errorOf({ error }: Pick<ServerEvent, 'error'>): EarshotError {
	const code = error?.code ?? '';
	return new EarshotError(
		code in errorCodes ? (code as ErrorCode) : 'invalid_request',
		error?.message ?? 'the server refused it',
	);
}
