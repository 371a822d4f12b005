/** The API as an OpenAPI document. A test holds it to the routes and to the fields that requests may have. */

import { formatNames } from '../../formats/formats.js';
import { timeoutHeader } from './transcriptions.js';

const error = {
	description: 'An error in the shape of the OpenAI API',
	content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
} as const;

const errors = {
	'400': error,
	'401': error,
	'403': error,
	'404': error,
	'413': error,
	'429': error,
	'500': error,
	'503': error,
} as const;

const modelParameter = { name: 'model', in: 'path', required: true, schema: { type: 'string' } } as const;

const timeoutParameter = {
	name: timeoutHeader,
	in: 'header',
	description: 'Milliseconds after which the work ends with a 504; the server may have a shorter limit',
	schema: { type: 'integer', minimum: 1 },
} as const;

const busy = {
	...error,
	headers: {
		'Retry-After': { description: 'Seconds until there will be room', schema: { type: 'integer' } },
	},
} as const;

const modelContent = { 'application/json': { schema: { $ref: '#/components/schemas/Model' } } } as const;

/** OpenAI's form of a list. */
function listContent(schema: string): object {
	return {
		'application/json': {
			schema: {
				type: 'object',
				required: ['object', 'data'],
				properties: {
					object: { const: 'list' },
					data: { type: 'array', items: { $ref: `#/components/schemas/${schema}` } },
				},
			},
		},
	};
}

const pullStatus = { schema: { $ref: '#/components/schemas/PullStatus' } } as const;

const text = { schema: { type: 'string' } } as const;

const answers = {
	'200': {
		description: 'The transcript, in the format that was asked for; server-sent events with `stream=true`',
		content: {
			'application/json': {
				schema: {
					anyOf: [
						{ $ref: '#/components/schemas/Transcription' },
						{ $ref: '#/components/schemas/VerboseTranscription' },
					],
				},
			},
			'text/plain': text,
			'text/vtt': text,
			'text/markdown': text,
			'text/event-stream': text,
		},
	},
	...errors,
	'429': busy,
	'504': error,
} as const;

function upload(operationId: string, summary: string) {
	return {
		operationId,
		summary,
		parameters: [timeoutParameter],
		requestBody: {
			required: true,
			content: {
				'multipart/form-data': { schema: { $ref: '#/components/schemas/TranscriptionRequest' } },
			},
		},
		responses: answers,
	} as const;
}

const hint = 'A model that cannot use it refuses it with a 400.';

export const openapi = {
	openapi: '3.1.0',
	info: {
		title: 'Earshot',
		version: '0',
		description:
			'Speech to text on your own machine, with the API of OpenAI. Every path that begins with `/v1` also answers without it.',
	},
	paths: {
		'/v1/audio/transcriptions': {
			post: upload('createTranscription', 'Transcribes a recording'),
		},
		'/v1/audio/translations': {
			post: upload('createTranslation', 'Transcribes a recording into English'),
		},
		'/v1/models': {
			get: {
				operationId: 'listModels',
				summary: 'The models that this server serves',
				responses: {
					'200': { description: 'The models', content: listContent('Model') },
					...errors,
				},
			},
		},
		'/v1/models/{model}': {
			get: {
				operationId: 'retrieveModel',
				summary: 'One model, by id or alias',
				parameters: [modelParameter],
				responses: {
					'200': {
						description: 'The model',
						content: modelContent,
					},
					...errors,
				},
			},
			delete: {
				operationId: 'deleteModel',
				summary:
					'Removes a model that was fetched; files of the user stay. From this machine, or with an API key.',
				parameters: [modelParameter],
				responses: {
					'200': {
						description: 'It is gone',
						content: {
							'application/json': {
								schema: {
									type: 'object',
									required: ['id', 'object', 'deleted'],
									properties: {
										id: { type: 'string' },
										object: { const: 'model' },
										deleted: { const: true },
										files_deleted: { type: 'boolean' },
									},
								},
							},
						},
					},
					'409': error,
					...errors,
				},
			},
		},
		'/v1/models/{model}/pull': {
			post: {
				operationId: 'pullModel',
				summary:
					'Fetches a model, or joins the fetching that goes on. From this machine, or with an API key.',
				parameters: [modelParameter],
				requestBody: {
					required: false,
					content: { 'application/json': { schema: { $ref: '#/components/schemas/PullRequest' } } },
				},
				responses: {
					'200': {
						description:
							'How it goes, a status for each change: as lines of JSON, or as server-sent events with `Accept: text/event-stream`. The last one has the status `done`, `failed` or `cancelled`. Leaving does not end the fetching.',
						content: { 'application/x-ndjson': pullStatus, 'text/event-stream': text },
					},
					'202': {
						description: 'The status now, with `Accept: application/json`',
						content: { 'application/json': pullStatus },
					},
					'409': error,
					...errors,
				},
			},
			get: {
				operationId: 'pullStatus',
				summary: 'How the last fetching of a model goes, or went',
				parameters: [modelParameter],
				responses: {
					'200': { description: 'The status', content: { 'application/json': pullStatus } },
					...errors,
				},
			},
			delete: {
				operationId: 'cancelPull',
				summary: 'Ends the fetching of a model; the next one goes on where it stopped',
				parameters: [modelParameter],
				responses: {
					'200': { description: 'The status', content: { 'application/json': pullStatus } },
					...errors,
				},
			},
		},
		'/v1/models/{model}/load': {
			post: {
				operationId: 'loadModel',
				summary:
					'Loads a model before a request asks for it, also one that is on hold. From this machine, or with an API key.',
				parameters: [modelParameter],
				responses: { '200': { description: 'It is in memory', content: modelContent }, ...errors },
			},
		},
		'/v1/models/{model}/unload': {
			post: {
				operationId: 'unloadModel',
				summary:
					'Unloads a model when the last recording in it is through; the next request loads it again. From this machine, or with an API key.',
				parameters: [modelParameter],
				responses: {
					'200': {
						description: 'Its process is gone; or a request has come and loaded it again',
						content: modelContent,
					},
					...errors,
				},
			},
		},
		'/v1/ps': {
			get: {
				operationId: 'listResidents',
				summary: 'The models that are in memory, on their way there, or on hold',
				responses: {
					'200': { description: 'The models', content: listContent('Resident') },
					...errors,
				},
			},
		},
		'/health': {
			get: {
				operationId: 'health',
				summary: 'Whether the server answers; needs no API key',
				security: [],
				responses: {
					'200': {
						description: '`loading` while the first model is on its way into memory',
						content: {
							'application/json': {
								schema: {
									type: 'object',
									required: ['status'],
									properties: { status: { enum: ['ok', 'loading'] } },
								},
							},
						},
					},
				},
			},
		},
		'/metrics': {
			get: {
				operationId: 'metrics',
				summary: 'Counters, gauges and histograms of this server, for Prometheus',
				responses: {
					'200': { description: "In Prometheus' text format", content: { 'text/plain': text } },
					...errors,
				},
			},
		},
		'/openapi.json': {
			get: {
				operationId: 'openapi',
				summary: 'This document',
				responses: { '200': { description: 'This document', content: { 'application/json': {} } } },
			},
		},
		'/': {
			get: {
				operationId: 'about',
				summary: 'Name, version and routes of the server',
				responses: {
					'200': { description: 'Name, version and routes', content: { 'application/json': {} } },
				},
			},
		},
	},
	// A key is asked for only where the server was started with some.
	security: [{}, { apiKey: [] }],
	components: {
		securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } },
		schemas: {
			TranscriptionRequest: {
				type: 'object',
				required: ['file'],
				description: 'Lists are sent as repeated `name[]` or `name` fields. Other fields are ignored.',
				properties: {
					file: {
						type: 'string',
						format: 'binary',
						description: 'The recording; what it is is found out from its bytes, not from its name',
					},
					model: {
						type: 'string',
						description: "Id or alias of a model; the server's default where it is missing",
					},
					language: {
						type: 'string',
						description:
							'ISO 639-1 code or English name. `auto`, or nothing, lets the model detect. A language that the model does not know is refused.',
					},
					languages: {
						type: 'array',
						items: { type: 'string' },
						description: `Languages that may occur. One is taken as \`language\`; among several the model chooses. ${hint}`,
					},
					keywords: {
						type: 'array',
						items: { type: 'string' },
						description: `Terms to listen for. ${hint}`,
					},
					prompt: { type: 'string', description: `Text that the recording continues. ${hint}` },
					response_format: {
						type: 'string',
						enum: formatNames,
						default: 'json',
						description: '`diarized_json` is refused: this server does not tell speakers apart.',
					},
					temperature: { type: 'number', minimum: 0, maximum: 1, default: 0, description: hint },
					include: {
						type: 'array',
						items: { type: 'string', enum: ['logprobs'] },
						description: 'Needs `response_format` `json` and a model that gives log-probabilities.',
					},
					timestamp_granularities: {
						type: 'array',
						items: { type: 'string', enum: ['word', 'segment'] },
						default: ['segment'],
						description:
							'`word` needs `response_format` `verbose_json` and a model that gives times for words; without `segment` beside it the answer has words only.',
					},
					stream: {
						type: 'boolean',
						default: false,
						description: 'Server-sent events while the recording is worked on; needs `json` or `text`.',
					},
					chunking_strategy: {
						anyOf: [
							{ const: 'auto' },
							{
								type: 'object',
								required: ['type'],
								properties: {
									type: { const: 'server_vad' },
									threshold: { type: 'number', minimum: 0, maximum: 1, default: 0.5 },
									prefix_padding_ms: { type: 'integer', minimum: 0, default: 300 },
									silence_duration_ms: { type: 'integer', minimum: 0, default: 200 },
								},
							},
						],
						description:
							'How speech is found and the recording cut; as JSON or as `chunking_strategy[type]` etc.',
					},
					known_speaker_names: {
						type: 'array',
						items: { type: 'string' },
						description: 'Refused: this server does not tell speakers apart.',
					},
					known_speaker_references: {
						type: 'array',
						items: { type: 'string' },
						description: 'Refused: this server does not tell speakers apart.',
					},
				},
			},
			Transcription: {
				type: 'object',
				required: ['text', 'usage'],
				properties: {
					text: { type: 'string' },
					languages: {
						type: 'array',
						items: { type: 'object', required: ['code'], properties: { code: { type: 'string' } } },
					},
					logprobs: { type: 'array', items: { $ref: '#/components/schemas/Logprob' } },
					usage: { $ref: '#/components/schemas/Usage' },
				},
			},
			VerboseTranscription: {
				type: 'object',
				required: ['task', 'language', 'duration', 'text', 'usage'],
				properties: {
					task: { enum: ['transcribe', 'translate'] },
					language: { type: 'string', description: 'English name' },
					duration: { type: 'number' },
					text: { type: 'string' },
					segments: { type: 'array', items: { $ref: '#/components/schemas/Segment' } },
					words: { type: 'array', items: { $ref: '#/components/schemas/Word' } },
					usage: { $ref: '#/components/schemas/Usage' },
					not_computed: {
						type: 'array',
						items: { enum: ['language', 'tokens', 'avg_logprob', 'no_speech_prob'] },
						description:
							'Fields that this model does not compute: they are `unknown`, `[]` or 0 because clients demand them',
					},
					repetitions_cut: {
						type: 'array',
						description:
							'Where the model repeated itself over and over: all rounds but the first are cut out of the text. Absent where it did not',
						items: {
							type: 'object',
							required: ['start', 'end'],
							properties: { start: { type: 'number' }, end: { type: 'number' } },
						},
					},
				},
			},
			Segment: {
				type: 'object',
				required: [
					'id',
					'seek',
					'start',
					'end',
					'text',
					'tokens',
					'temperature',
					'avg_logprob',
					'compression_ratio',
					'no_speech_prob',
				],
				properties: {
					id: { type: 'integer' },
					seek: { type: 'integer' },
					start: { type: 'number' },
					end: { type: 'number' },
					text: { type: 'string' },
					tokens: { type: 'array', items: { type: 'integer' } },
					temperature: { type: 'number' },
					avg_logprob: { type: 'number' },
					compression_ratio: { type: 'number' },
					no_speech_prob: { type: 'number' },
					speaker: { type: 'string' },
					emotion: { type: 'string' },
					event: { type: 'string' },
				},
			},
			Word: {
				type: 'object',
				required: ['word', 'start', 'end'],
				properties: {
					word: { type: 'string' },
					start: { type: 'number' },
					end: { type: 'number' },
				},
			},
			Logprob: {
				type: 'object',
				required: ['token', 'logprob', 'bytes'],
				properties: {
					token: { type: 'string' },
					logprob: { type: 'number' },
					bytes: { type: 'array', items: { type: 'integer' } },
				},
			},
			Usage: {
				type: 'object',
				required: ['type', 'seconds'],
				properties: { type: { const: 'duration' }, seconds: { type: 'integer' } },
			},
			Model: {
				type: 'object',
				required: ['id', 'object', 'created', 'owned_by'],
				properties: {
					id: { type: 'string' },
					object: { const: 'model' },
					created: { type: 'integer' },
					owned_by: { type: 'string' },
					aliases: { type: 'array', items: { type: 'string' } },
					type: { type: 'string' },
					state: {
						enum: ['unloaded', 'loading', 'loaded', 'on_hold'],
						description: '`on_hold`: its process died too often, and it is left alone for a while',
					},
					memory_bytes: {
						type: 'integer',
						description: 'Resident memory of its process, while it has one',
					},
					demo: { type: 'boolean' },
				},
			},
			Resident: {
				type: 'object',
				required: [
					'id',
					'object',
					'state',
					'pid',
					'memory_bytes',
					'requests',
					'idle_seconds',
					'unloads_in_seconds',
				],
				properties: {
					id: { type: 'string' },
					object: { const: 'model.resident' },
					state: { enum: ['loading', 'loaded', 'on_hold'] },
					pid: { type: ['integer', 'null'] },
					memory_bytes: { type: 'integer', description: 'Resident memory of its process, as measured last' },
					requests: { type: 'integer', description: 'Requests that have it now' },
					idle_seconds: { type: ['integer', 'null'], description: 'null while it is used' },
					unloads_in_seconds: {
						type: ['integer', 'null'],
						description: 'If nobody asks for it; null while that is not to happen',
					},
				},
			},
			PullRequest: {
				type: 'object',
				properties: {
					accept_license: {
						type: 'boolean',
						default: false,
						description: 'Needed where the licence is not an open-source one',
					},
					repin: {
						type: 'boolean',
						default: false,
						description: 'Take files that are not what came the first time',
					},
				},
			},
			PullStatus: {
				type: 'object',
				required: ['object', 'id', 'status', 'file', 'received_bytes', 'total_bytes'],
				properties: {
					object: { const: 'model.pull' },
					id: { type: 'string' },
					status: {
						enum: [
							'starting',
							'waiting',
							'downloading',
							'unpacking',
							'converting',
							'done',
							'failed',
							'cancelled',
						],
						description:
							'`waiting` is for another process that fetches the same model; `converting`: what came becomes a ggml file, and the bytes are those written',
					},
					file: { type: ['string', 'null'], description: 'What is arriving now' },
					received_bytes: { type: 'integer' },
					total_bytes: { type: ['integer', 'null'], description: 'null while it is not known' },
					warning: { type: 'string', description: 'Why one source of the model was left for the next' },
					files: {
						type: 'array',
						description: 'With `done`',
						items: {
							type: 'object',
							required: ['path', 'bytes', 'sha256', 'pinned'],
							properties: {
								path: { type: 'string' },
								bytes: { type: 'integer' },
								sha256: { type: 'string' },
								pinned: {
									type: 'boolean',
									description: 'The digest was not known beforehand; from now on it is this one',
								},
							},
						},
					},
					error: { $ref: '#/components/schemas/Error/properties/error', description: 'With `failed`' },
				},
			},
			Error: {
				type: 'object',
				required: ['error'],
				properties: {
					error: {
						type: 'object',
						required: ['message', 'type', 'param', 'code'],
						properties: {
							message: { type: 'string' },
							type: { type: 'string' },
							param: { type: ['string', 'null'] },
							code: { type: ['string', 'null'] },
						},
					},
				},
			},
		},
	},
} as const;
