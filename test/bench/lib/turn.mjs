/** A side's turn: the same for every server. */

import { crowd } from './servers.mjs';

/** Positions of the encoder per second, and what a careful client adds: as Earshot does for itself. */
export const sized = { contextPerSecond: 50, contextMargin: 64 };
export const plain = { response_format: 'json', temperature: '0' };

/** @param {import('./client.mjs').Seen} seen @returns {import('./client.mjs').Seen} unless it is not to be counted */
export function counted(seen) {
	const { failed, failures, texts, odd } = seen;
	if (failed > 0) throw new Error(`${failed} requests failed: ${failures.join('; ')}`);
	if ([...texts, ...odd].some((text) => text !== null && textOf(text) === ''))
		throw new Error('a recording of speech gave no text');
	return seen;
}

/** @param {string} answer a server's JSON, or the text itself @returns {string} */
export function textOf(answer) {
	return (answer.startsWith('{') ? JSON.parse(answer).text : answer).trim();
}

/**
 * Starts a side, warms it up, lets the crowd ask, and ends it.
 * @param {() => Promise<import('./servers.mjs').Server>} start
 * @param {Omit<import('./client.mjs').Crowd, 'url'>} asks
 * @param {Partial<import('./client.mjs').Crowd>} [warmUp] what is asked before
 */
export async function turn(start, asks, warmUp = { clipSeconds: 3 }) {
	const server = await start();
	try {
		await crowd({ ...asks, url: server.url, clients: 1, requests: 2, ...warmUp });
		return counted(await crowd({ ...asks, url: server.url }));
	} finally {
		await server.stop();
	}
}
