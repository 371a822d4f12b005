import { expect, it } from 'vitest';
import { stopSignals } from '../../../src/core/signals.js';

it.each(['linux', 'darwin'])('%s stops a program by Ctrl-C and SIGTERM', (platform) => {
	expect(stopSignals(platform)).toEqual(['SIGINT', 'SIGTERM']);
});

it('Windows stops a program by Ctrl-C, Ctrl-Break and the closing of its window', () => {
	expect(stopSignals('win32')).toEqual(['SIGINT', 'SIGBREAK', 'SIGHUP']);
});
