/** `earshot ps`, `load` and `unload`: the models in a running server's memory, through its HTTP API. */

import { request } from 'undici';
import { earshot } from '../../command-line.js';
import type { Config, SettingName } from '../../config/settings.js';
import { EarshotError } from '../../errors.js';
import { loadRegistry } from '../../models/registry/registry.js';
import { packageRoot } from '../../paths.js';
import { jsonText, sizeText, table } from '../ui/table.js';

type Flags = Partial<Record<SettingName, string>>;

interface LoadedModelBody {
	readonly id: string;
	readonly state: string;
	readonly pid: number | null;
	readonly memory_bytes: number;
	readonly requests: number;
	readonly idle_seconds: number | null;
	readonly unloads_in_seconds: number | null;
}

interface ModelBody {
	readonly id: string;
	readonly state: string;
	readonly memory_bytes?: number;
}

export async function printLoadedModels(flags: Flags, asJson: boolean): Promise<void> {
	const { data } = await ask<{ data: readonly LoadedModelBody[] }>(flags, 'GET', '/v1/ps');
	if (asJson) {
		process.stdout.write(jsonText(data));
		return;
	}
	const rows = data.map((loaded) => [
		loaded.id,
		loaded.state.replace('_', ' '),
		loaded.pid === null ? '' : String(loaded.pid),
		sizeText(loaded.memory_bytes),
		String(loaded.requests),
		timeText(loaded.idle_seconds),
		timeText(loaded.unloads_in_seconds),
	]);
	const head = ['MODEL', 'STATE', 'PID', 'MEMORY', 'REQUESTS', 'IDLE', 'UNLOADS IN'];
	process.stdout.write(table([head, ...rows]));
}

export async function loadModels(ids: readonly string[], flags: Flags): Promise<void> {
	for (const id of ids) {
		const model = await ask<ModelBody>(flags, 'POST', `/v1/models/${encodeURI(id)}/load`);
		const memory = model.memory_bytes === undefined ? '' : `, ${sizeText(model.memory_bytes)}`;
		process.stdout.write(`${model.id} ${model.state}${memory}\n`);
	}
}

export async function unloadModels(ids: readonly string[], flags: Flags): Promise<void> {
	for (const id of ids) {
		const model = await ask<ModelBody>(flags, 'POST', `/v1/models/${encodeURI(id)}/unload`);
		process.stdout.write(`${model.id} ${model.state}\n`);
	}
}

async function ask<T>(flags: Flags, method: 'GET' | 'POST', path: string): Promise<T> {
	const { config } = loadRegistry(flags, packageRoot);
	const url = serverUrl(config);
	const [key] = config.apiKeys;
	let answer: Awaited<ReturnType<typeof request>>;
	try {
		answer = await request(`${url}${path}`, {
			method,
			...(key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }),
			// A model at work is unloaded when its recordings are through.
			headersTimeout: 0,
		});
	} catch (cause) {
		throw new EarshotError(
			'not_found',
			`No server answers at ${url}. To start one: ${earshot('serve')}; if it runs elsewhere: --addr HOST:PORT`,
			{ cause },
		);
	}
	const body = (await answer.body.json()) as T & { readonly error?: { readonly message: string } };
	if (answer.statusCode >= 400)
		throw new EarshotError(
			'invalid_request',
			body.error?.message ?? `the server answered ${answer.statusCode}`,
		);
	return body;
}

/** The URL at which a client on this machine reaches `earshot serve` with the same settings. */
function serverUrl({ host, port }: Pick<Config, 'host' | 'port'>): string {
	const name = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
	return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

function timeText(seconds: number | null): string {
	if (seconds === null) return '-';
	if (seconds < 120) return `${seconds} s`;
	return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
