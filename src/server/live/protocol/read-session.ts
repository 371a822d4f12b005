/** Parses the `session` of client events into a configuration. Absent fields keep their values. Pure. */

import { EarshotError } from '../../../core/errors.js';
import { defaultTurns } from '../../../core/live/live.js';
import { isLiveRate, liveRates } from '../../../core/speech/pcm.js';
import {
	type AudioFormat,
	type Eagerness,
	liveModelNames,
	logprobsInclude,
	Refused,
	type SessionConfig,
	type TranscriptionConfig,
	type TurnDetection,
} from './events.js';
import { type Given, Reader } from './reader.js';

const defaultVad = {
	threshold: defaultTurns.threshold,
	prefix_padding_ms: defaultTurns.prefixPaddingMs,
	silence_duration_ms: defaultTurns.silenceDurationMs,
};

export const defaultConfig: SessionConfig = {
	format: { type: 'audio/pcm', rate: 24_000 },
	transcription: null,
	turnDetection: { type: 'server_vad', ...defaultVad },
	logprobs: false,
	partials: false,
};

/** Field names of 2024 → current names. */
const oldNames = {
	input_audio_format: 'format',
	input_audio_transcription: 'transcription',
	turn_detection: 'turn_detection',
	input_audio_noise_reduction: 'noise_reduction',
} as const;

/** Fields of conversation sessions, which clients may send although they have no effect here. */
const conversationFields = [
	'model',
	'instructions',
	'tools',
	'tool_choice',
	'output_modalities',
	'max_output_tokens',
	'tracing',
	'truncation',
	'prompt',
	'parallel_tool_calls',
	'reasoning',
	'modalities',
	'voice',
	'output_audio_format',
	'temperature',
	'max_response_output_tokens',
	'speed',
];

/** `before`: the configuration to change. Throws Refused, whose `param` is the path of the field. */
export function readSession(given: unknown, before: SessionConfig): SessionConfig {
	const session = new Reader(given, 'session');
	const type = session.choice('type', ['transcription', 'realtime']);
	const isConversation = type === 'realtime';
	session.allow(
		'type',
		'audio',
		'include',
		...Object.keys(oldNames),
		// Set by the server; some clients modify the session they received and send it back.
		'object',
		'id',
		'expires_at',
		'client_secret',
		...(isConversation ? conversationFields : ['modalities']),
	);
	const audio = session.object('audio');
	audio?.allow('input', ...(isConversation ? ['output'] : []));
	const input = audio?.object('input');
	input?.allow('format', 'transcription', 'noise_reduction', 'turn_detection', 'partials');
	let config = readIncludes(session, before);
	for (const [old, name] of Object.entries(oldNames)) config = readField(session, old, name, config);
	if (!input) return withTurnsOfModel(config);
	for (const name of Object.values(oldNames)) config = readField(input, name, name, config);
	const partials = input.flag('partials');
	return withTurnsOfModel(partials === undefined ? config : { ...config, partials });
}

/** The configuration with turn detection off if it names one of OpenAI's live models and the client has not set turn
 * detection: at OpenAI they have none, so that their clients commit. */
export function withTurnsOfModel(config: SessionConfig): SessionConfig {
	const isUnset = config.turnDetection === defaultConfig.turnDetection;
	const isLive = liveModelNames.includes(config.transcription?.model ?? '');
	return isUnset && isLive ? { ...config, turnDetection: null } : config;
}

function readIncludes(session: Reader, before: SessionConfig): SessionConfig {
	if (!session.has('include')) return before;
	const includes = session.texts('include') ?? [];
	const unknown = includes.find((include) => include !== logprobsInclude);
	if (unknown !== undefined) throw session.refuse('include', `a list of \`${logprobsInclude}\``, unknown);
	return { ...before, logprobs: includes.length > 0 };
}

function readField(
	from: Reader,
	field: string,
	name: (typeof oldNames)[keyof typeof oldNames],
	before: SessionConfig,
): SessionConfig {
	if (!from.has(field)) return before;
	switch (name) {
		case 'format':
			return { ...before, format: readFormat(from, field, before.format) };
		case 'transcription':
			return { ...before, transcription: readTranscription(from, field, before.transcription) };
		case 'turn_detection':
			return { ...before, turnDetection: readTurnDetection(from, field, before.turnDetection) };
		case 'noise_reduction':
			if (from.value(field) !== null)
				throw new Refused(
					'unsupported_value',
					`Expected \`${from.pathOf(field)}\` to be null, got an object: this server does not reduce noise`,
					from.pathOf(field),
				);
			return before;
	}
}

const oldFormats: Readonly<Record<string, AudioFormat>> = {
	pcm16: { type: 'audio/pcm', rate: 24_000 },
	g711_ulaw: { type: 'audio/pcmu' },
	g711_alaw: { type: 'audio/pcma' },
};

function readFormat(from: Reader, field: string, before: AudioFormat): AudioFormat {
	const given = from.value(field);
	if (typeof given === 'string') {
		const format = Object.hasOwn(oldFormats, given) ? oldFormats[given] : undefined;
		if (format) return format;
		throw from.refuse(field, 'one of `pcm16`, `g711_ulaw`, `g711_alaw`', given);
	}
	const format = from.object(field);
	if (!format) return before;
	format.allow('type', 'rate');
	const type = format.choice('type', ['audio/pcm', 'audio/pcmu', 'audio/pcma']) ?? before.type;
	if (type === 'audio/pcm') return { type, rate: readRate(format) };
	format.number('rate', 8000, 8000);
	return { type };
}

function readRate(format: Reader): number {
	const rate = format.value('rate') ?? 24_000;
	if (!isLiveRate(rate)) throw format.refuse('rate', liveRates, rate);
	return rate;
}

const delays = ['minimal', 'low', 'medium', 'high', 'xhigh'];

function readTranscription(
	from: Reader,
	field: string,
	before: TranscriptionConfig | null,
): TranscriptionConfig | null {
	const given = from.object(field);
	if (!given) return null;
	given.allow('model', 'language', 'languages', 'keywords', 'prompt', 'delay');
	// The latency of OpenAI's models. It is validated and ignored, since the latency of models here is fixed.
	given.choice('delay', delays);
	const read: Given<TranscriptionConfig> = {
		model: given.text('model'),
		language: given.text('language'),
		languages: given.texts('languages'),
		keywords: given.texts('keywords'),
		prompt: given.text('prompt'),
	};
	const kept = Object.entries({ ...before }).filter(([name]) => !given.has(name));
	const changed = Object.entries(read).filter(([, value]) => value !== undefined);
	return Object.fromEntries([...kept, ...changed]);
}

function readTurnDetection(from: Reader, field: string, before: TurnDetection | null): TurnDetection | null {
	const given = from.object(field);
	if (!given) return null;
	const type = given.choice('type', ['server_vad', 'semantic_vad', 'none']) ?? before?.type ?? 'server_vad';
	if (type === 'none') return null;
	const echoed: Given<Pick<TurnDetection, 'create_response' | 'interrupt_response'>> = {
		create_response: given.flag('create_response'),
		interrupt_response: given.flag('interrupt_response'),
	};
	const responses = Object.fromEntries(Object.entries(echoed).filter(([, value]) => value !== undefined));
	if (type === 'semantic_vad') {
		given.allow('type', 'eagerness', 'create_response', 'interrupt_response');
		const eagerness = given.choice<Eagerness>('eagerness', ['low', 'medium', 'high', 'auto']);
		const known = before?.type === 'semantic_vad' ? before.eagerness : 'auto';
		return { type, eagerness: eagerness ?? known, ...responses };
	}
	given.allow(
		'type',
		'threshold',
		'prefix_padding_ms',
		'silence_duration_ms',
		'idle_timeout_ms',
		'create_response',
		'interrupt_response',
	);
	if (given.value('idle_timeout_ms') !== undefined && given.value('idle_timeout_ms') !== null)
		throw new Refused(
			'unsupported_value',
			`Expected \`${given.pathOf('idle_timeout_ms')}\` to be null: a transcription session has no responses that it could trigger`,
			given.pathOf('idle_timeout_ms'),
		);
	const known = before?.type === 'server_vad' ? before : defaultVad;
	return {
		type,
		threshold: given.number('threshold', 0, 1) ?? known.threshold,
		prefix_padding_ms: given.number('prefix_padding_ms', 0, 5000) ?? known.prefix_padding_ms,
		silence_duration_ms: given.number('silence_duration_ms', 0, 10_000) ?? known.silence_duration_ms,
		...responses,
	};
}

/** Parses the session of an HTTP request. Throws `invalid_request` instead of Refused. */
export function readRequestedSession(given: unknown, before: SessionConfig): SessionConfig {
	try {
		return readSession(given, before);
	} catch (thrown) {
		if (!(thrown instanceof Refused)) throw thrown;
		const { message, param } = thrown.error;
		throw new EarshotError('invalid_request', message, param === null ? {} : { param });
	}
}
