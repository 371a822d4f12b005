/** Parses the fields for diarization. */

import { earshot } from '../../../core/command-line.js';
import { EarshotError, expected } from '../../../core/errors.js';
import {
	type KnownVoice,
	type SpeakerOptions,
	speakerNameOf,
	speakerNameRule,
} from '../../../core/speech/speakers.js';
import { type FieldName, type Fields, unsupported } from './fields.js';

export interface SpeakerRequest {
	/** Options without the enrolled voices. */
	readonly options: SpeakerOptions;
	/** Names of the enrolled voices to recognize, or `all`. */
	readonly enrolled: 'all' | readonly string[];
	/** The field that requested diarization, for error messages. */
	readonly param: FieldName;
}

/** Other properties of the request, which determine the valid fields. */
export interface SpeakerContext {
	readonly format: string;
	readonly model: string | null;
	readonly channels: string;
	/** Maximum number of references. */
	readonly maxKnown: number;
}

const diarizingFormat = 'diarized_json';
/** OpenAI's model with diarization; here this name selects the default model together with the diarization model. */
const diarizingModel = /^(openai\/)?gpt-4o-transcribe-diarize(-\d{4}-\d{2}-\d{2})?$/i;
const formatsOfThatModel: readonly string[] = ['json', 'text', diarizingFormat];

/** Maximum number of speakers in a recording. */
const maxSpeakers = 100;
/** Maximum size of a decoded reference: half a minute in the largest format. */
const maxReferenceBytes = 8 * 2 ** 20;

const countFields = ['num_speakers', 'min_speakers', 'max_speakers'] as const;
const knownFields = ['known_speaker_names', 'known_speaker_references', 'known_speakers'] as const;

/** null without diarization. Throws `invalid_request` or `unsupported_value`, with the field as `param`. */
export function parseSpeakers(fields: Fields, context: SpeakerContext): SpeakerRequest | null {
	const { format, model, channels } = context;
	const flag = fields.flag('diarize');
	const isOfModel = model !== null && diarizingModel.test(model.trim());
	const param: FieldName = flag ? 'diarize' : format === diarizingFormat ? 'response_format' : 'model';
	if (isOfModel) refuseOfModel(fields, format);
	if (flag === false && format === diarizingFormat)
		throw unsupported(
			'diarize',
			'`response_format` = `diarized_json` needs `diarize` to be `true` or absent',
		);
	if (flag !== true && format !== diarizingFormat && (!isOfModel || flag === false)) {
		const idle = [...countFields, ...knownFields].find((name) => fields.list(name).length > 0);
		if (idle === undefined) return null;
		throw unsupported(
			idle,
			`\`${idle}\` needs \`diarize\` to be \`true\`, or \`response_format\` to be \`diarized_json\``,
		);
	}
	if (channels === 'split')
		throw unsupported(
			'channels',
			'`channels` cannot be `split` together with speaker diarization: leave it out',
		);
	const enrolled = fields.list('known_speakers').map((name) => name.trim());
	return {
		options: { ...countsOf(fields), known: knownVoices(fields, context.maxKnown) },
		enrolled: enrolled.includes('all') ? 'all' : enrolled,
		param,
	};
}

/** The error if no diarization model is installed. */
export function noDiarizer(param: string): EarshotError {
	return new EarshotError(
		'unsupported_value',
		`Diarization needs two small models that are not on this machine. To download them: ${earshot('pull diarization')}`,
		{ param },
	);
}

/** Refuses what OpenAI refuses for its own diarization model. */
function refuseOfModel(fields: Fields, format: string): void {
	const advice = 'leave it out, or choose a model by another name and send `diarize=true`';
	if (fields.text('prompt') !== undefined)
		throw unsupported('prompt', `Prompt is not supported for diarization models: ${advice}`);
	if (fields.list('timestamp_granularities').length > 0)
		throw unsupported(
			'timestamp_granularities',
			`\`timestamp_granularities\` is not supported for diarization models: ${advice}`,
		);
	if (fields.list('include').length > 0)
		throw unsupported('include', `\`include\` is not supported for diarization models: ${advice}`);
	if (!formatsOfThatModel.includes(format))
		throw unsupported(
			'response_format',
			`\`response_format\` = \`${format}\` is not supported for diarization models: use \`json\`, \`text\` or \`diarized_json\`, or choose a model by another name and send \`diarize=true\``,
		);
}

function countsOf(fields: Fields): Pick<SpeakerOptions, 'min' | 'max'> {
	const [exact, atLeast, atMost] = countFields.map((name) => {
		const value = fields.number(name, { min: 1, max: maxSpeakers });
		if (value !== undefined && !Number.isInteger(value))
			throw expected(name, `a whole number from 1 to ${maxSpeakers}`, value);
		return value;
	});
	if (exact !== undefined && (atLeast ?? atMost) !== undefined)
		throw unsupported('num_speakers', '`num_speakers` needs `min_speakers` and `max_speakers` to be absent');
	if (atLeast !== undefined && atMost !== undefined && atLeast > atMost)
		throw expected('max_speakers', `\`min_speakers\` (${atLeast}) or more`, atMost);
	const [min, max] = [exact ?? atLeast, exact ?? atMost];
	return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

function knownVoices(fields: Fields, maxKnown: number): KnownVoice[] {
	const names = fields.list('known_speaker_names').map((given) => {
		const name = speakerNameOf(given);
		if (name === undefined) throw expected('known_speaker_names', speakerNameRule, given);
		return name;
	});
	const references = fields.list('known_speaker_references');
	if (names.length !== references.length)
		throw expected(
			names.length < references.length ? 'known_speaker_names' : 'known_speaker_references',
			'as many as the names: each name has one reference',
			`${names.length} names and ${references.length} references`,
		);
	if (names.length > maxKnown)
		throw expected('known_speaker_names', `at most ${maxKnown} (see --max-known-speakers)`, names.length);
	const twice = names.find((name, at) => names.indexOf(name) !== at);
	if (twice !== undefined) throw expected('known_speaker_names', 'different names', `${twice} twice`);
	return names.map((name, at) => ({
		name,
		reference: { bytes: bytesOfDataUrl(references[at] ?? '') },
		param: 'known_speaker_references',
	}));
}

function bytesOfDataUrl(url: string): Uint8Array {
	const param = 'known_speaker_references';
	const head = /^\s*data:[^;,]*(;[^,]*)?;base64,/i.exec(url.slice(0, 300))?.[0];
	if (head === undefined) throw expected(param, 'a data URL such as `data:audio/wav;base64,…`', url);
	// Some clients wrap base64 into lines.
	const text = url.slice(head.length).replaceAll(/\s+/g, '');
	if (text.length > (maxReferenceBytes * 4) / 3)
		throw expected(
			param,
			`a recording of at most ${maxReferenceBytes / 2 ** 20} MiB`,
			`${text.length} characters`,
		);
	if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) throw expected(param, 'a data URL in base64', url);
	return Buffer.from(text, 'base64');
}
