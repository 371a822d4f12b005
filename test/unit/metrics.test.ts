import { describe, expect, it } from 'vitest';
import { Metrics } from '../../src/metrics.js';

/** Samples by name and labels. */
async function samples(metrics: Metrics): Promise<Map<string, number>> {
	const lines = (await metrics.render()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
	return new Map(
		lines.map((line) => {
			const [, name = '', value] = /^(.*) (\S+)$/.exec(line) ?? [];
			return [name, Number(value)];
		}),
	);
}

describe('the metrics', () => {
	it('count what happens to hosts, by model and reason', async () => {
		const metrics = new Metrics();
		metrics.loaded('tiny', 0.3);
		metrics.loaded('tiny', 20);
		metrics.loadFailed('tiny');
		metrics.unloaded('tiny', 'memory');
		metrics.restarted('tiny', 'died');
		metrics.refused('', 'uploads');
		metrics.memory('tiny', 12_345);
		expect(Object.fromEntries(await samples(metrics))).toMatchObject({
			'earshot_loads_total{model="tiny",result="ok"}': 2,
			'earshot_loads_total{model="tiny",result="failed"}': 1,
			'earshot_load_seconds_bucket{le="0.5",model="tiny"}': 1,
			'earshot_load_seconds_count{model="tiny"}': 2,
			'earshot_unloads_total{model="tiny",reason="memory"}': 1,
			'earshot_restarts_total{model="tiny",reason="died"}': 1,
			'earshot_refusals_total{model="",reason="uploads"}': 1,
			'earshot_host_memory_bytes{model="tiny"}': 12_345,
		});
	});

	it('of two servers in one process are apart', async () => {
		const [one, other] = [new Metrics(), new Metrics()];
		one.loadFailed('tiny');
		expect((await samples(other)).size).toBe(0);
	});
});
