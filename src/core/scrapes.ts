/** Scrapes of metrics, for which gauges are set that change too often to be updated every time. */

type Report = () => void | Promise<void>;

export class Scrapes {
	readonly #registry: { metrics(): Promise<string> };
	readonly #gauges: readonly { reset(): void }[];
	readonly #reports: Report[] = [];
	#rendering: Promise<string> | undefined;

	/** `gauges`: reset before each rendering, so that nothing is stale that is not reported any more. */
	constructor(registry: { metrics(): Promise<string> }, gauges: readonly { reset(): void }[]) {
		this.#registry = registry;
		this.#gauges = gauges;
	}

	/** Calls `report` before each rendering. */
	add(report: Report): void {
		this.#reports.push(report);
	}

	/** Scrapes at the same time share one rendering, since reports add up. */
	render(): Promise<string> {
		this.#rendering ??= this.#render().finally(() => {
			this.#rendering = undefined;
		});
		return this.#rendering;
	}

	async #render(): Promise<string> {
		for (const gauge of this.#gauges) gauge.reset();
		for (const report of this.#reports) await report();
		return await this.#registry.metrics();
	}
}
