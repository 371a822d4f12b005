/** The live streams of a runner process. */

import { asEarshotError, EarshotError } from '../../core/errors.js';
import type { LiveEvent, LiveStream } from '../../core/live/live.js';
import { LiveAudio, type LiveParts } from '../../pipeline/live/stream.js';
import type { ToRunner } from '../protocol.js';

type LiveMessage = Extract<ToRunner, { type: 'live-open' | 'live' | 'live-close' }>;

export class LiveStreamsOfModel {
	readonly #streams = new Map<number, LiveStream>();
	readonly #send: (stream: number, event: LiveEvent) => void;

	constructor(send: (stream: number, event: LiveEvent) => void) {
		this.#send = send;
	}

	/** `parts`: undefined before the model is loaded. */
	take(message: LiveMessage, parts: LiveParts | undefined): void {
		const { stream } = message;
		if (message.type === 'live-open') this.#open(message, parts);
		else if (message.type === 'live') this.#streams.get(stream)?.send(message.command);
		else this.#close(stream);
	}

	closeAll(): void {
		for (const stream of [...this.#streams.keys()]) this.#close(stream);
	}

	#open(
		{ stream, options }: Extract<LiveMessage, { type: 'live-open' }>,
		parts: LiveParts | undefined,
	): void {
		try {
			if (!parts) throw new EarshotError('internal', 'a live stream was opened before the model was loaded');
			const report = (event: LiveEvent) => {
				if (event.type === 'ended' || event.type === 'lost') this.#streams.delete(stream);
				this.#send(stream, event);
			};
			this.#streams.set(stream, new LiveAudio(parts, options, report));
		} catch (thrown) {
			this.#send(stream, { type: 'lost', error: asEarshotError(thrown) });
		}
	}

	#close(stream: number): void {
		this.#streams.get(stream)?.close();
		this.#streams.delete(stream);
	}
}
