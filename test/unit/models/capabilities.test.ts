import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { capabilitiesOf } from '../../../src/models/capabilities.js';
import type { ModelEntry } from '../../../src/models/registry/entry.js';
import { encodeHeader } from '../../helpers/files/ggml.js';

const folder = mkdtempSync(path.join(tmpdir(), 'earshot-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function entry(type: string, model: string, more: Partial<ModelEntry> = {}): ModelEntry {
	const about = { id: 'm', aliases: [], options: {}, languages: null, ownedBy: '', demo: false };
	return { ...about, type, files: { model }, ...more } as unknown as ModelEntry;
}

function whisper(vocabulary: number): string {
	const file = path.join(folder, `${vocabulary}.bin`);
	const shape = { state: 8, heads: 1, audioLayers: 1, textLayers: 1, mels: 80, type: 'f16' } as const;
	writeFileSync(file, encodeHeader({ ...shape, vocabulary }, []));
	return file;
}

describe('what a model can do is known before it is loaded', () => {
	test('of an English Whisper', () => {
		expect(capabilitiesOf(entry('whisper_cpp', whisper(51_864)))).toMatchObject({
			languages: ['en'],
			translates: false,
			detectsLanguage: false,
			prompt: true,
			words: true,
		});
	});

	test.each([
		[51_865, 99, false],
		[51_866, 100, true],
	])('of a multilingual Whisper with %i tokens: %i languages', (vocabulary, count, hasCantonese) => {
		const capabilities = capabilitiesOf(entry('whisper_cpp', whisper(vocabulary)));
		expect(capabilities).toMatchObject({ translates: true, choosesAmongLanguages: true });
		expect(capabilities?.languages).toHaveLength(count);
		expect(capabilities?.languages?.includes('yue')).toBe(hasCantonese);
	});

	test('of other types by their records and their entries', () => {
		const hot = { decoding_method: 'modified_beam_search' };
		expect(capabilitiesOf(entry('sense_voice', 'x'))).toMatchObject({ prompt: false, detectsLanguage: true });
		expect(capabilitiesOf(entry('transducer', 'x', { options: hot }))).toMatchObject({ keywords: true });
		expect(capabilitiesOf(entry('transducer', 'x', { languages: ['de'] }))).toMatchObject({
			keywords: false,
			languages: ['de'],
		});
	});

	test('but not of types whose files say whether they take a language', () => {
		expect(capabilitiesOf(entry('streaming_nemo_transducer', 'x'))).toBeNull();
	});

	test('but not where its file is missing, or is none of whisper.cpp', () => {
		const file = path.join(folder, 'text.bin');
		writeFileSync(file, 'no model at all');
		expect(capabilitiesOf(entry('whisper_cpp', file))).toBeNull();
		expect(capabilitiesOf(entry('whisper_cpp', path.join(folder, 'missing.bin')))).toBeNull();
		writeFileSync(file, '');
		expect(capabilitiesOf(entry('whisper_cpp', file))).toBeNull();
	});
});
