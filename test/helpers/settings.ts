/** Settings for tests: the defaults, but for what a test says. */

import { resolveConfig } from '../../src/config/resolve.js';
import { type HostSettings, hostSettings } from '../../src/runner/settings.js';

export function runnerSettings(given: Partial<HostSettings> = {}): HostSettings {
	return { ...hostSettings(resolveConfig([])), numThreads: 1, lanes: 1, gpu: false, ...given };
}
