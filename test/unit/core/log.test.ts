import { expect, test } from 'vitest';
import { createLog, silentLog } from '../../../src/core/log.js';

function record(level: 'info' | 'silent') {
	const lines: Record<string, unknown>[] = [];
	const log = createLog({ level, stream: { write: (line) => lines.push(JSON.parse(line)) } });
	return { log, lines };
}

test('a line is JSON with its fields, the message and the error', () => {
	const { log, lines } = record('info');
	log.child({ part: 'server' }).error({ id: 'a', err: new Error('broken') }, 'request failed');
	expect(lines).toMatchObject([
		{ level: 50, part: 'server', id: 'a', err: { message: 'broken' }, msg: 'request failed' },
	]);
	expect(lines[0]).not.toHaveProperty('hostname');
});

test('what is below the level is not written', () => {
	const { log, lines } = record('info');
	log.debug({}, 'small');
	record('silent').log.error({}, 'large');
	silentLog.child({}).error({}, 'large');
	expect(lines).toEqual([]);
});
