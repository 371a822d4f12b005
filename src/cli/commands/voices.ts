/** `earshot voices add NAME FILE…`, `list` and `rm NAME…`: the voices enrolled on this machine. */

import { voicesFolder } from '../../core/config/folders.js';
import type { SettingTexts } from '../../core/config/settings.js';
import { type EarshotError, expected } from '../../core/errors.js';
import { packageRoot } from '../../core/paths.js';
import { noOptions } from '../../core/speech/options.js';
import type { FoundSpeakers } from '../../core/speech/speakers.js';
import { openDiarizer } from '../../library/open-model.js';
import { readable } from '../../library/source.js';
import { loadRegistry } from '../../models/registry/registry.js';
import { enrolled } from '../../speakers/enrolment.js';
import { checkedVoiceName, noVoice, VoiceStore } from '../../speakers/voice-store.js';
import { foundIn } from '../../speakers/with-speakers.js';
import { interruptible } from '../ui/interruptible.js';
import { jsonText, table } from '../ui/table.js';

export interface VoicesCommand {
	readonly flags: SettingTexts;
	readonly json: boolean;
}

/** `given`: the arguments after the action. */
export async function voices(
	action: 'add' | 'list' | 'rm',
	given: readonly string[],
	{ flags, json }: VoicesCommand,
): Promise<void> {
	const store = new VoiceStore(voicesFolder());
	if (action === 'add') return await add(store, given, flags);
	if (action === 'rm') return await remove(store, given);
	if (given.length > 0) throw expected('voices list', 'without names', given[0]);
	const all = (await store.list()).map(({ name, seconds, created }) => ({ name, seconds, created }));
	if (json) process.stdout.write(jsonText(all));
	else {
		const rows = all.map(({ name, seconds, created }) => [
			name,
			`${seconds} s`,
			new Date(created * 1000).toISOString().slice(0, 10),
		]);
		process.stdout.write(table([['NAME', 'SPEECH', 'ENROLLED'], ...rows]));
	}
}

async function add(
	store: VoiceStore,
	[given, ...files]: readonly string[],
	flags: VoicesCommand['flags'],
): Promise<void> {
	const name = checkedVoiceName(given ?? '', 'NAME');
	if (files.length === 0) throw expected('FILE', 'one or more recordings of that person alone', undefined);
	const registry = loadRegistry(flags, packageRoot);
	await interruptible(async (signal) => {
		const { transcriber, close } = await openDiarizer(registry, true);
		try {
			const found: FoundSpeakers[] = [];
			for (const file of files) {
				const recording = await readable(file);
				const options = { ...noOptions, speakers: { known: [] } };
				found.push((await foundIn(transcriber.transcribe(recording, options, signal))).found);
			}
			const voice = { name, ...enrolled(found, 'FILE'), created: Math.floor(Date.now() / 1000) };
			await store.add(voice);
			process.stdout.write(`${name} is enrolled with ${voice.seconds} s of speech\n`);
		} finally {
			await close();
		}
	});
}

async function remove(store: VoiceStore, names: readonly string[]): Promise<void> {
	if (names.length === 0) throw expected('NAME', 'one or more names', undefined);
	const failures: EarshotError[] = [];
	for (const given of names) {
		const name = checkedVoiceName(given, 'NAME');
		if (await store.remove(name)) process.stdout.write(`${name} is removed\n`);
		else failures.push(noVoice(name, 'NAME'));
	}
	const [first] = failures;
	if (first) throw first;
}
