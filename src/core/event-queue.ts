/** A queue of events with one producer, and one consumer that iterates it once. */

export class EventQueue<T extends object> implements AsyncIterable<T> {
	readonly #events: T[] = [];
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

	/** The consumer receives the events pushed before, then the error. */
	fail(error: Error): void {
		this.#end ??= { error };
		this.#wake?.();
	}

	[Symbol.asyncIterator](): AsyncIterator<T> {
		return { next: () => this.#next() };
	}

	async #next(): Promise<IteratorResult<T>> {
		for (;;) {
			const [event] = this.#events.splice(0, 1);
			if (event !== undefined) return { done: false, value: event };
			if (this.#end?.error) throw this.#end.error;
			if (this.#end) return { done: true, value: undefined };
			await new Promise<void>((resolve) => (this.#wake = resolve));
			this.#wake = undefined;
		}
	}
}
