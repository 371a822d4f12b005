// The memory that a Node process needs: what is left after a garbage collection, since garbage hides slow growth.
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

/** Where Node opens the inspector of a process that gets SIGUSR1. */
const inspector = 'http://127.0.0.1:9229/json';

/**
 * Linux and macOS, one process at a time.
 * @param {number} pid
 * @returns {Promise<() => Promise<number>>} rejects where another process has the inspector's port; collects garbage; MiB of the heap and of the memory outside it
 */
export async function heapOf(pid) {
	process.kill(pid, 'SIGUSR1');
	const socket = new WebSocket(await address());
	await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
	/** @type {Map<number, (result: any) => void>} */
	const waiting = new Map();
	let next = 1;
	socket.on('message', (data) => {
		const { id, result } = JSON.parse(data.toString());
		waiting.get(id)?.(result);
		waiting.delete(id);
	});
	const call = (method, params = {}) =>
		new Promise((resolve) => {
			waiting.set(next, resolve);
			socket.send(JSON.stringify({ id: next++, method, params }));
		});
	const evaluated = async (expression) => (await call('Runtime.evaluate', { expression })).result.value;
	const found = await evaluated('process.pid');
	if (found !== pid) throw new Error(`${inspector} is the inspector of process ${found}`);
	await call('HeapProfiler.enable');
	return async () => {
		await call('HeapProfiler.collectGarbage');
		const bytes = await evaluated('process.memoryUsage().heapUsed + process.memoryUsage().external');
		return bytes / 2 ** 20;
	};
}

async function address() {
	for (let tries = 0; tries < 50; tries++) {
		await sleep(100);
		try {
			const [{ webSocketDebuggerUrl }] = await (await fetch(inspector)).json();
			return webSocketDebuggerUrl;
		} catch {
			// Not open yet.
		}
	}
	throw new Error(`the inspector did not open at ${inspector}`);
}
