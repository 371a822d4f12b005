import { describe, expect, it } from 'vitest';
import { Metrics } from '../../../src/core/metrics.js';

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
	it('count what happens to runners, by model and reason', async () => {
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
			'earshot_runner_memory_bytes{model="tiny"}': 12_345,
		});
	});

	it('are the same for scrapes at the same time, and without what is not reported any more', async () => {
		const metrics = new Metrics();
		let report = async () => {
			metrics.jobsWaiting('tiny', 'bulk', 30);
			metrics.jobs('queued', 2);
			metrics.oldestJob(60);
		};
		metrics.onScrape(async () => {
			await new Promise((resolve) => setImmediate(resolve));
			await report();
		});
		const waiting = 'earshot_queue_seconds{model="tiny",class="bulk"}';
		const both = await Promise.all([samples(metrics), samples(metrics)]);
		expect(both.map((each) => each.get(waiting))).toEqual([30, 30]);
		expect((await samples(metrics)).get(waiting)).toBe(30);
		report = async () => {};
		const later = [...(await samples(metrics))];
		expect(later.filter(([name]) => /queue_(oldest_)?seconds|earshot_jobs/.test(name))).toEqual([
			['earshot_queue_oldest_seconds', 0],
		]);
	});

	it('show the state of a scheduler until its runner ends', async () => {
		const metrics = new Metrics();
		metrics.scheduled('tiny', {
			state: { slots: 2, busySlots: 3, waitingClips: 4, waitingSeconds: 12.5 },
			batches: [
				{ clips: 1, seconds: 5, paddingSeconds: 0, runMs: 100 },
				{ clips: 4, seconds: 18, paddingSeconds: 2, runMs: 300 },
			],
		});
		expect(Object.fromEntries(await samples(metrics))).toMatchObject({
			'earshot_slots{model="tiny"}': 2,
			'earshot_slots_busy{model="tiny"}': 3,
			'earshot_queue_clips{model="tiny"}': 4,
			'earshot_queue_clip_seconds{model="tiny"}': 12.5,
			'earshot_batch_clips_bucket{le="3",model="tiny"}': 1,
			'earshot_batch_clips_sum{model="tiny"}': 5,
			'earshot_batch_run_seconds_sum{model="tiny"}': 0.4,
			'earshot_batch_audio_seconds_total{model="tiny"}': 23,
			'earshot_batch_padding_seconds_total{model="tiny"}': 2,
		});
		metrics.unloaded('tiny', 'idle');
		expect(Object.fromEntries(await samples(metrics))).toMatchObject({
			'earshot_slots{model="tiny"}': 0,
			'earshot_slots_busy{model="tiny"}': 0,
			'earshot_queue_clips{model="tiny"}': 0,
			'earshot_batch_clips_sum{model="tiny"}': 5,
		});
	});

	it('show where the time of recordings went', async () => {
		const metrics = new Metrics();
		metrics.transcribed('tiny', { audioSeconds: 60, totalMs: 2000, decodeMs: 3, queueMs: 400, runMs: 1500 });
		expect(Object.fromEntries(await samples(metrics))).toMatchObject({
			'earshot_audio_seconds_total{model="tiny"}': 60,
			'earshot_decode_seconds_bucket{le="0.005",model="tiny"}': 1,
			'earshot_wait_seconds_sum{model="tiny"}': 0.4,
			'earshot_run_seconds_sum{model="tiny"}': 1.5,
			'earshot_request_seconds_sum{model="tiny"}': 2,
		});
	});

	it('of two servers in one process are apart', async () => {
		const [one, other] = [new Metrics(), new Metrics()];
		one.loadFailed('tiny');
		expect([...(await samples(other)).keys()].sort()).toEqual([
			'earshot_queue_oldest_seconds',
			'earshot_uploads_bytes',
			'earshot_webhooks_pending',
		]);
	});
});
