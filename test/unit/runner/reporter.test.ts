import { afterEach, expect, it, vi } from 'vitest';
import type { RunnerReport } from '../../../src/metrics.js';
import { Reporter } from '../../../src/runner/child/reporter.js';
import { Scheduler } from '../../../src/scheduler/scheduler.js';
import { ScriptedEngine } from '../../helpers/scripted-engine.js';

afterEach(() => {
	vi.useRealTimers();
});

const batch = { clips: 1, seconds: 5, paddingSeconds: 0, runMs: 1 };

function arrange() {
	vi.useFakeTimers();
	const told: RunnerReport[] = [];
	const reporter = new Reporter(new Scheduler(new ScriptedEngine(), 1), (report) => told.push(report));
	return { reporter, told };
}

it('reports many changes at once, and each batch once', () => {
	const { reporter, told } = arrange();
	for (let change = 0; change < 100; change++) reporter.changed();
	reporter.ran(batch);
	expect(told).toEqual([]);
	vi.advanceTimersByTime(1000);
	expect(told).toHaveLength(1);
	reporter.changed();
	vi.advanceTimersByTime(1000);
	expect(told.map(({ batches }) => batches)).toEqual([[batch], []]);
});

it('reports nothing if nothing changes', () => {
	const { told } = arrange();
	vi.advanceTimersByTime(60_000);
	expect(told).toEqual([]);
});

it('reports the rest when the runner ends', () => {
	const { reporter, told } = arrange();
	reporter.ran(batch);
	reporter.changed();
	reporter.flush();
	vi.advanceTimersByTime(1000);
	expect(told.map(({ batches }) => batches)).toEqual([[batch]]);
});
