/** The capabilities of a model that is not loaded, as far as its type, its entry and its file's header show. */

import { languageCodes } from '../core/languages.js';
import { type Capabilities, diarizationType } from '../core/speech/model-info.js';
import { NotGgml, readVocabularySize } from '../model-files/ggml-file.js';
import type { ModelEntry } from './registry/entry.js';
import {
	diarizationCapabilities,
	parakeetCapabilities,
	sherpaCapabilities,
	whisperCapabilities,
} from './types/capabilities.js';
import { familyOf, parakeetType, whisperType } from './types/types.js';

/** Cache by entry: a changed entry of models.yaml is a new object. */
const known = new WeakMap<ModelEntry, Capabilities | null>();

/** null = not known before the model is loaded. The file is read once for each entry. */
export function capabilitiesOf(entry: ModelEntry): Capabilities | null {
	const found = known.get(entry);
	if (found !== undefined) return found;
	const capabilities = find(entry);
	known.set(entry, capabilities);
	return capabilities;
}

function find(entry: ModelEntry): Capabilities | null {
	if (entry.type === parakeetType) return parakeetCapabilities;
	if (entry.type === whisperType) return ofWhisper(entry.files.model ?? '');
	if (entry.type === diarizationType) return diarizationCapabilities;
	const family = familyOf(entry.type);
	// Only the inputs of its network show whether such a file takes a language.
	if (family.languageInput !== undefined) return null;
	return sherpaCapabilities(family, {
		options: entry.options,
		configured: entry.languages,
		languages: entry.languages ?? family.languages ?? null,
	});
}

/** whisper.cpp distinguishes models by the size of their vocabulary: multilingual ones have a token for each further
 * language. */
const englishVocabulary = 51_864;
/** Cantonese came with large-v3, as the hundredth language. */
const lastLanguage = 'yue';

function ofWhisper(file: string): Capabilities | null {
	let size: number;
	try {
		size = readVocabularySize(file);
	} catch (thrown) {
		if (thrown instanceof NotGgml || (thrown instanceof Error && 'code' in thrown)) return null;
		throw thrown;
	}
	if (size <= englishVocabulary) return whisperCapabilities(['en'], false);
	const languages = languageCodes.filter((code) => code !== lastLanguage || size > englishVocabulary + 1);
	return whisperCapabilities(languages, true);
}
