// The types of models.yaml: files, capabilities and options of each.
import { modelTypes as all, familyOf, isSherpaType } from '../../dist/models/types/types.js';
import { code, codes, table } from './pages.mjs';

/** What no table in the code says: which models are of the type, and what the columns cannot show. */
const about = {
	whisper_cpp: [
		'Whisper as ggml',
		{ files: ['model'], words: 'yes', logprobs: 'yes', language: '99, chosen or detected; translates' },
	],
	parakeet_cpp: ['Parakeet TDT as ggml', { files: ['model'], words: 'yes', logprobs: 'yes' }],
	sense_voice: ['SenseVoice', { language: 'zh en ja ko yue, chosen or detected' }],
	paraformer: ['Paraformer', { words: 'exports with timestamps' }],
	transducer: ['zipformer, conformer', {}],
	nemo_transducer: ['Parakeet TDT, RNNT', {}],
	whisper: ['Whisper as ONNX', { language: "the file's, chosen or detected; translates" }],
	moonshine: [
		'Moonshine v1, v2',
		{
			files: ['preprocessor', 'encoder', 'uncached_decoder', 'cached_decoder', 'tokens'],
			or: ['encoder', 'merged_decoder', 'tokens'],
		},
	],
	qwen3_asr: ['Qwen3-ASR', { language: 'chosen or detected' }],
	canary: ['Canary', { language: 'en es de fr, chosen; English by default; translates' }],
	fire_red_asr: ['FireRedASR (attention)', {}],
	cohere_transcribe: [
		'Cohere Transcribe',
		{ language: 'ar de el en es fr it ja ko nl pl pt vi zh, chosen by request or option: required' },
	],
	funasr_nano: ['Fun-ASR-Nano', {}],
	nemo_ctc: ['NeMo CTC models', {}],
	zipformer_ctc: ['zipformer CTC', {}],
	wenet_ctc: ['WeNet CTC', {}],
	telespeech_ctc: ['TeleSpeech', {}],
	tdnn: ['TDNN (yes/no)', {}],
	dolphin: ['Dolphin', {}],
	fire_red_asr_ctc: ['FireRedASR (CTC)', {}],
	omnilingual: ['Omnilingual ASR', {}],
	medasr: ['MedASR', {}],
	streaming_transducer: ['streaming zipformer (zipformer2)', {}],
	streaming_zipformer_ctc: ['streaming zipformer2 CTC', {}],
	streaming_nemo_transducer: [
		'streaming NeMo transducers (Nemotron, FastConformer RNNT)',
		{ language: "the model's; of a multilingual one (Nemotron 3.5) chosen or detected" },
	],
	streaming_nemo_ctc: ['streaming NeMo CTC', {}],
	streaming_paraformer: ['streaming Paraformer', {}],
};

const yes = (claim) => (claim ? 'yes' : '–');

/** One row a type. */
export function modelTypes() {
	const rows = all.map((type) => {
		const [models, known] = describe(type);
		const family = isSherpaType(type) ? familyOf(type) : {};
		const folders = family.folders ?? [];
		const roles = (known.files ?? Object.keys(family.files)).map((role) =>
			folders.includes(role) ? `${role} (a folder)` : role,
		);
		const files =
			known.or === undefined ? roles.join(', ') : `${roles.join(', ')}; or ${known.or.join(', ')}`;
		return [
			code(type),
			models,
			files,
			known.words ?? yes(family.times),
			known.logprobs ?? yes(family.logprobs),
			known.language ?? family.languages?.join(' ') ?? "the model's",
		];
	});
	return table(['type', 'models', 'files', 'words', 'log-probabilities', 'language'], rows);
}

function describe(type) {
	const found = about[type];
	if (found === undefined) throw new Error(`scripts/docs/model-types.mjs does not describe the type ${type}`);
	return found;
}

/** What each option does. */
const meanings = {
	batch:
		'most clips, or live streams, decoded in one pass, clips on a CPU as long as they are 12 s together; 8, but 1 for dynamically quantised (int8) models, whose results would depend on what they are batched with',
	blank_penalty: 'makes a transducer write more',
	bpe_vocab: 'vocabulary of a BPE model, for `keywords[]`',
	decoding_method:
		'`modified_beam_search` takes `keywords[]`; BPE models need `modeling_unit: bpe` and `bpe_vocab` for them',
	hotwords: 'terms to listen for',
	hotwords_score: 'weight of keywords',
	language: 'the usual language, for requests that choose none',
	max_active_paths: 'width of the beam search',
	max_new_tokens: 'most tokens written for a clip',
	max_total_len: 'room for prompt, audio and text, in tokens',
	modeling_unit: 'what the tokens are: `cjkchar`, `bpe` or `cjkchar+bpe`',
	provider: '`cuda` or `coreml`, with a library that has it (`--sherpa-dir`); refused where it does not',
	punctuation: 'ONNX file of a CT-transformer that punctuates the text',
	rule_fars: 'inverse text normalisation, as FST archives; words and log-probabilities stay as spoken',
	rule_fsts: 'inverse text normalisation, as FSTs; words and log-probabilities stay as spoken',
	system_prompt: 'the system prompt',
	tail_paddings: 'silence behind the clip, in frames of 10 ms',
	task: '`transcribe` or `translate`, for requests that choose none',
	use_itn: 'numbers and dates as figures',
	use_pnc: 'punctuation and capitals; on',
	use_punct: 'punctuation; on',
	user_prompt: 'the user prompt',
};

/** Options of the sherpa-onnx types, with the types that take them. */
export function modelOptions() {
	const typesByOption = new Map();
	const sherpa = all.filter(isSherpaType);
	for (const type of sherpa)
		for (const name of Object.keys(familyOf(type).options))
			typesByOption.set(name, [...(typesByOption.get(name) ?? []), type]);
	const rows = [...typesByOption]
		.sort(([a], [b]) => a.localeCompare(b))
		.map(([name, types]) => {
			if (meanings[name] === undefined)
				throw new Error(`scripts/docs/model-types.mjs does not describe the option ${name}`);
			return [code(name), typesText(types, sherpa), meanings[name]];
		});
	return table(['option', 'types', 'what'], rows);
}

function typesText(types, sherpa) {
	if (types.length === sherpa.length) return 'all';
	const others = sherpa.filter((type) => !types.includes(type));
	if (others.every((type) => type.startsWith('streaming_')) && others.length > 3)
		return 'all but the streaming ones';
	return codes(types);
}
