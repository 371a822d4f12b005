import { afterEach, expect, it, vi } from 'vitest';
import type { RunnerReport } from '../../../src/core/metrics.js';
import { Reporter } from '../../../src/runner/child/reporter.js';
import { Scheduler } from '../../../src/scheduler/scheduler.js';
import { ScriptedEngine } from '../../helpers/scripted-engine.js';

afterEach(() => {
	vi.useRealTimers();
});

const batch = { clips: 1, seconds: 5, paddingSeconds: 0, runMs: 1 };

function arrange() {
	vi.useFakeTimers();
	const reports: RunnerReport[] = [];
	const reporter = new Reporter(new Scheduler(new ScriptedEngine(), 1), (report) => reports.push(report));
	return { reporter, reports };
}

it('reports many changes at once, and each batch once', () => {
	const { reporter, reports } = arrange();
	for (let change = 0; change < 100; change++) reporter.changed();
	reporter.ran(batch);
	expect(reports).toEqual([]);
	vi.advanceTimersByTime(1000);
	expect(reports).toHaveLength(1);
	reporter.changed();
	vi.advanceTimersByTime(1000);
	expect(reports.map(({ batches }) => batches)).toEqual([[batch], []]);
});

it('reports nothing if nothing changes', () => {
	const { reports } = arrange();
	vi.advanceTimersByTime(60_000);
	expect(reports).toEqual([]);
});

it('reports the rest when the runner ends', () => {
	const { reporter, reports } = arrange();
	reporter.ran(batch);
	reporter.changed();
	reporter.flush();
	vi.advanceTimersByTime(1000);
	expect(reports.map(({ batches }) => batches)).toEqual([[batch]]);
});
