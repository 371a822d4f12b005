/**
 * Finds the URL of a Python package's file in the index that pip is configured to use: in its JSON form (PEP 691), or
 * else its HTML (PEP 503).
 */

import { readFile } from 'node:fs/promises';
import type { PipEnvironment } from '../../core/config/environment.js';
import { EarshotError } from '../../core/errors.js';
import { isRecord } from '../../core/is-record.js';
import { type Network, Refusal, type Reply } from './network.js';

export interface PackageIndex {
	/** Without credentials and without a trailing slash. */
	readonly url: string;
	/** The `authorization` header for it; '' = none. */
	readonly authorization: string;
	/** PEM certificates trusted in addition to Node's; absent = Node's only. */
	readonly certificates?: string;
}

export interface WheelName {
	readonly project: string;
	readonly version: string;
	/** `….whl` */
	readonly file: string;
	readonly sha256: string;
}

const publicIndex = 'https://pypi.org/simple';
const jsonType = 'application/vnd.pypi.simple.v1+json';
/** The page of a project with 10,000 files has about 10 MB. */
const maxPageBytes = 32 * 2 ** 20;
const pageTimeoutMs = 30_000;
const maxSettingsBytes = 1 << 20;

/** Throws `config_invalid`. */
export async function packageIndex({ indexUrl, cert, configFiles }: PipEnvironment): Promise<PackageIndex> {
	const texts = await Promise.all(configFiles.map((file) => readFile(file, 'utf8').catch(() => '')));
	// Later files take precedence.
	const inFiles = (key: string) =>
		texts.reduce((found, text) => valueIn(text.slice(0, maxSettingsBytes), key) || found, '');
	const url = indexUrl === '' ? inFiles('index-url') : indexUrl;
	const certFile = cert === '' ? inFiles('cert') : cert;
	const index = indexOf(url === '' ? publicIndex : url);
	return certFile === '' ? index : { ...index, certificates: await certificatesIn(certFile) };
}

async function certificatesIn(file: string): Promise<string> {
	try {
		return await readFile(file, 'utf8');
	} catch (cause) {
		const why = cause instanceof Error ? cause.message : String(cause);
		throw new EarshotError(
			'config_invalid',
			`Expected pip’s \`cert\` (\`PIP_CERT\`) to be a file of certificates, got \`${file}\`: ${why}`,
			{ cause, param: 'PIP_CERT' },
		);
	}
}

/** The value of `key` in the section `[global]` of a pip.conf; '' = absent. Pure. */
export function valueIn(text: string, key: string): string {
	let section = '';
	let found = '';
	for (const line of text.split(/\r?\n/)) {
		section = /^\[(.+)\]\s*$/.exec(line)?.[1] ?? section;
		const [, name = '', value = ''] = /^([\w-]+)\s*[=:]\s*(\S.*)$/.exec(line) ?? [];
		if (section === 'global' && name.toLowerCase().replaceAll('_', '-') === key) found = value.trim();
	}
	return found;
}

/** Throws `config_invalid`. Pure. */
export function indexOf(text: string): PackageIndex {
	if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
		const shown = text.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, '$1…@');
		throw new EarshotError(
			'config_invalid',
			`Expected pip’s \`index-url\` (\`PIP_INDEX_URL\`) to be an http or https URL, got \`${shown}\``,
			{ param: 'PIP_INDEX_URL' },
		);
	}
	const url = new URL(text);
	const login = [url.username, url.password].map(unquoted).join(':');
	url.username = '';
	url.password = '';
	return {
		url: url.href.replace(/\/+$/, ''),
		authorization: login === ':' ? '' : `Basic ${Buffer.from(login).toString('base64')}`,
	};
}

/** Like Python's `unquote`, which keeps invalid escapes as they are. */
function unquoted(text: string): string {
	return text.replace(/(?:%[\da-f]{2})+/gi, (run) =>
		Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
	);
}

/** Throws a `Refusal` if the index does not list the file within the timeout, `download_corrupt` if its digest there
 * differs, or the socket's error. */
export async function findWheel(
	{ url }: PackageIndex,
	wheel: WheelName,
	network: Network,
	signal: AbortSignal,
	timeoutMs: number = pageTimeoutMs,
): Promise<string> {
	const address = `${url}/${normalised(wheel.project)}/`;
	const page = network.locate(address);
	const accept = `${jsonType}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01`;
	// Limits the whole request, also if the page comes slowly or stalls.
	const tooLate = AbortSignal.timeout(timeoutMs);
	let reply: Reply;
	let text: string;
	try {
		reply = await network.get(address, { accept }, AbortSignal.any([signal, tooLate]));
		text = await textOf(reply);
	} catch (thrown) {
		if (signal.aborted || !tooLate.aborted) throw thrown;
		throw new Refusal(`the index takes too long for ${page}`);
	}
	if (reply.status !== 200) throw new Refusal(`the index answers ${reply.status} for ${page}`);
	const isJson = /\bjson\b/i.test(reply.header('content-type') ?? '');
	const found = isJson ? inJson(text, wheel.file) : inHtml(text, wheel.file);
	if (found === undefined || !URL.canParse(found.url, reply.url))
		throw new Refusal(`${page} does not have ${wheel.file}`);
	if (found.sha256 !== undefined && found.sha256 !== wheel.sha256)
		throw new EarshotError(
			'download_corrupt',
			`${wheel.file} of ${page} has the SHA-256 ${found.sha256} instead of ${wheel.sha256}`,
		);
	const at = new URL(found.url, reply.url);
	if (!/^https?:$/.test(at.protocol))
		throw new Refusal(`${page} has an address for ${wheel.file} that is not an http or https URL`);
	at.hash = '';
	return at.href;
}

/** By PEP 503. */
function normalised(project: string): string {
	return project.replace(/[-_.]+/g, '-').toLowerCase();
}

async function textOf(reply: Reply): Promise<string> {
	const pieces: Uint8Array[] = [];
	let bytes = 0;
	for await (const piece of reply.body) {
		bytes += piece.length;
		if (bytes > maxPageBytes) {
			reply.drop();
			throw new Refusal(`the index sends a page of more than ${maxPageBytes} bytes`);
		}
		pieces.push(piece);
	}
	return Buffer.concat(pieces).toString('utf8');
}

interface Found {
	readonly url: string;
	/** undefined = not given by the index. */
	readonly sha256: string | undefined;
}

function inJson(text: string, name: string): Found | undefined {
	const data = parsed(text);
	const files = isRecord(data) && Array.isArray(data.files) ? data.files : [];
	const file: unknown = files.find((each) => isRecord(each) && each.filename === name);
	if (!isRecord(file) || typeof file.url !== 'string') return undefined;
	const sha256 = isRecord(file.hashes) ? file.hashes.sha256 : undefined;
	return { url: file.url, sha256: typeof sha256 === 'string' ? sha256.toLowerCase() : undefined };
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// Treated as a page without files.
		return undefined;
	}
}

/** `<a href="URL#sha256=DIGEST">NAME</a>` */
function inHtml(text: string, name: string): Found | undefined {
	for (const piece of text.split(/<a\s/i).slice(1)) {
		const [tag = '', rest = ''] = piece.split('>', 2);
		if (rest.split('<', 1)[0]?.trim() !== name) continue;
		const url = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/i
			.exec(tag)
			?.slice(1)
			.find((each) => each !== undefined);
		if (url === undefined) return undefined;
		const sha256 = /#sha256=([0-9a-f]{64})\b/i.exec(url)?.[1]?.toLowerCase();
		return { url: url.replaceAll('&amp;', '&'), sha256 };
	}
	return undefined;
}
