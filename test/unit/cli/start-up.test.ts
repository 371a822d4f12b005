/** What a machine reports of the settings of its models. */

import { describe, expect, it } from 'vitest';
import { numericsOfMachine } from '../../../src/cli/commands/serve/start-up.js';
import { flagSource, resolveConfig } from '../../../src/core/config/resolve.js';
import type { SettingName } from '../../../src/core/config/settings.js';

const numericsWith = (flags: Partial<Record<SettingName, string>>): string =>
	numericsOfMachine(resolveConfig([flagSource(flags)]), '1.2.3');

describe('the name of machines whose results are the same', () => {
	it.each([
		['numThreads', '7'],
		['modelDir', '/elsewhere'],
		['weightsDir', '/weights'],
	] as const)('is the same whatever %s is', (name, value) => {
		expect(numericsWith({ [name]: value })).toBe(numericsWith({}));
	});

	it('is another for another encoder', () => {
		expect(numericsWith({ encoder: 'int8' })).not.toBe(numericsWith({}));
	});
});
