/** Events pushed on one side and iterated on the other, by one consumer, once. */

export class EventQueue<T> implements AsyncIterable<T> {
	#events: T[] = [];
	#end: { readonly error?: Error } | undefined;
	#wake: (() => void) | undefined;

	push(event: T): void {
		if (this.#end) return;
		this.#events.push(event);
		this.#wake?.();
	}

	end(): void {
		this.#end ??= {};
		this.#wake?.();
	}

	/** The consumer gets what was pushed before, then the error. */
	fail(error: Error): void {
		this.#end ??= { error };
		this.#wake?.();
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<T> {
		for (;;) {
			const events = this.#events;
			this.#events = [];
			yield* events;
			if (this.#events.length > 0) continue;
			if (this.#end?.error) throw this.#end.error;
			if (this.#end) return;
			await new Promise<void>((resolve) => (this.#wake = resolve));
			this.#wake = undefined;
		}
	}
}
