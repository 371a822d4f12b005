import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { readClientEvent } from '../../../../src/server/live/protocol/client-events.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('the id of an event keeps no more than its first 512 characters in memory', () => {
	const ids = new Set<string | null>();
	collect();
	const before = process.memoryUsage().heapUsed;
	for (let count = 0; count < 20; count++) {
		const text = `{"type":"input_audio_buffer.commit","event_id":"${count}${'ä'.repeat(4 << 20)}"}`;
		ids.add(readClientEvent(JSON.parse(text)).eventId);
	}
	collect();
	expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 << 20);
	expect([...ids].map((id) => id?.length)).toEqual(Array(20).fill(512));
});
