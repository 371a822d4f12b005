/**
 * A crowd of clients in a process of its own: each posts recordings one after another and waits for each answer.
 * Reads one JSON line from stdin, writes one to stdout.
 */

import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { stdin, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { clips, secondsOf, speech } from './speech.mjs';

/**
 * @typedef {object} Crowd
 * @property {string} url where to post
 * @property {Record<string, string>} fields beside the file
 * @property {number} [contextPerSecond] adds `audio_ctx`: so many positions for each second of the clip,
 * @property {number} [contextMargin] and so many more
 * @property {number} clients
 * @property {number} [requests] in all; else as many as `seconds` allow
 * @property {number} [seconds] after which no client begins another
 * @property {number} [clipSeconds] length of every clip; 3 to 11 s by turns unless given
 * @property {string[]} [clipFiles] WAVs to post by turns instead: 16 kHz, mono, 16 bits
 */

/**
 * @typedef {object} Seen
 * @property {number} audioSeconds of what was answered with 200
 * @property {number} wallSeconds to the last of those answers
 * @property {number[]} latencies ms
 * @property {number} failed answered otherwise, or not at all
 * @property {string[]} failures what came instead, the first few
 * @property {(string | null)[]} texts one per kind of clip; null where its turn did not come
 * @property {string[]} odd texts of a clip that differ from its first
 */

const boundary = 'earshot-bench-boundary';

/** @param {Buffer} file @param {Record<string, string>} fields */
function multipart(file, fields) {
	const parts = Object.entries(fields).map(
		([name, value]) => `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
	);
	const head = `${parts.join('')}--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n`;
	return Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--\r\n`)]);
}

/** @param {Crowd} crowd @returns {{ seconds: number, file: Buffer }[]} */
function kindsOf({ clipFiles, clipSeconds }) {
	if (clipFiles)
		return clipFiles.map((path) => {
			const file = readFileSync(path);
			return { seconds: secondsOf(file), file };
		});
	return clipSeconds === undefined ? clips(18) : [{ seconds: clipSeconds, file: speech(clipSeconds) }];
}

/** @param {Agent} agent @param {URL} url @param {Buffer} body @returns {Promise<{ status: number, text: string }>} */
function post(agent, { hostname, port, pathname }, body) {
	return new Promise((resolve, reject) => {
		const headers = {
			'content-type': `multipart/form-data; boundary=${boundary}`,
			'content-length': body.length,
		};
		const sent = request({ hostname, port, path: pathname, method: 'POST', agent, headers }, (answer) => {
			const chunks = [];
			answer.on('data', (chunk) => chunks.push(chunk));
			answer.on('end', () =>
				resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
			);
			answer.on('error', reject);
		});
		sent.on('error', reject);
		sent.end(body);
	});
}

/** @param {Crowd} crowd @returns {Promise<Seen>} */
export async function load(crowd) {
	const {
		url,
		fields,
		contextPerSecond,
		contextMargin = 0,
		clients,
		requests = Number.POSITIVE_INFINITY,
	} = crowd;
	const { seconds = Number.POSITIVE_INFINITY } = crowd;
	const kinds = kindsOf(crowd);
	const bodies = kinds.map(({ seconds: length, file }) =>
		multipart(file, {
			...fields,
			...(contextPerSecond ? { audio_ctx: `${Math.ceil(length * contextPerSecond) + contextMargin}` } : {}),
		}),
	);
	const where = new URL(url);
	const agent = new Agent({ keepAlive: true, maxSockets: clients });
	const seen = {
		audioSeconds: 0,
		wallSeconds: 0,
		latencies: [],
		failed: 0,
		failures: [],
		texts: Array(kinds.length).fill(null),
		odd: [],
	};
	const start = performance.now();
	let next = 0;
	const client = async () => {
		while (next < requests && performance.now() - start < seconds * 1000) {
			const kind = next++ % kinds.length;
			const begun = performance.now();
			let answer;
			try {
				answer = await post(agent, where, bodies[kind]);
			} catch (error) {
				answer = { status: 0, text: String(error) };
			}
			if (answer.status !== 200) {
				seen.failed++;
				if (seen.failures.length < 5) seen.failures.push(`${answer.status} ${answer.text.slice(0, 200)}`);
				continue;
			}
			const now = performance.now();
			seen.latencies.push(now - begun);
			seen.audioSeconds += kinds[kind].seconds;
			seen.wallSeconds = (now - start) / 1000;
			seen.texts[kind] ??= answer.text;
			if (seen.texts[kind] !== answer.text && seen.odd.length < 5) seen.odd.push(answer.text);
		}
	};
	await Promise.all(Array.from({ length: clients }, client));
	agent.destroy();
	return seen;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	let line = '';
	for await (const chunk of stdin) line += chunk;
	stdout.write(`${JSON.stringify(await load(JSON.parse(line)))}\n`);
}
