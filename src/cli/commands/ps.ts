/** `earshot ps`, `load` and `unload`: the models in a running server's memory, through its HTTP API. */

import type { SettingTexts } from '../../core/config/settings.js';
import { requestServer } from '../client/request-server.js';
import { jsonText, sizeText, table } from '../ui/table.js';

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

export async function printLoadedModels(flags: SettingTexts, asJson: boolean): Promise<void> {
	const { data } = await requestServer<{ data: readonly LoadedModelBody[] }>(flags, 'GET', '/v1/ps');
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

export async function loadModels(ids: readonly string[], flags: SettingTexts): Promise<void> {
	for (const id of ids) {
		const model = await requestServer<ModelBody>(flags, 'POST', `/v1/models/${encodeURI(id)}/load`);
		const memory = model.memory_bytes === undefined ? '' : `, ${sizeText(model.memory_bytes)}`;
		process.stdout.write(`${model.id} ${model.state}${memory}\n`);
	}
}

export async function unloadModels(ids: readonly string[], flags: SettingTexts): Promise<void> {
	for (const id of ids) {
		const model = await requestServer<ModelBody>(flags, 'POST', `/v1/models/${encodeURI(id)}/unload`);
		process.stdout.write(`${model.id} ${model.state}\n`);
	}
}

function timeText(seconds: number | null): string {
	if (seconds === null) return '-';
	if (seconds < 120) return `${seconds} s`;
	return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
