/** Settings for tests: the defaults, with the changes that a test gives. */

import { resolveConfig } from '../../src/core/config/resolve.js';
import { type RunnerSettings, runnerSettings } from '../../src/runner/settings.js';

export function testSettings(given: Partial<RunnerSettings> = {}): RunnerSettings {
	return { ...runnerSettings(resolveConfig([])), numThreads: 1, parallel: 1, gpu: false, ...given };
}
