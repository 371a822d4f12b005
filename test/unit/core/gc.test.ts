import { execFileSync } from 'node:child_process';
import { execPath } from 'node:process';
import { expect, it } from 'vitest';
import { heapGrowth } from '../../../src/core/gc.js';

it('V8 accepts the flags', () => {
	const [name = ''] = heapGrowth.split('=');
	expect(execFileSync(execPath, ['--v8-options'], { encoding: 'utf8' })).toContain(`${name} (`);
});
