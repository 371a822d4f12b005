import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	root: fileURLToPath(new URL('..', import.meta.url)),
	test: {
		include: ['test/{unit,http,native,contract}/**/*.test.ts'],
		watch: false,
		// A crash inside the addon then costs one file of tests, and every file loads it anew.
		pool: 'forks',
		testTimeout: 20_000,
		hookTimeout: 60_000,
	},
});
