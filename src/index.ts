/** What `import … from 'earshot'` gives. */

export { EarshotError, type ErrorCode } from './errors.js';
export { type FormatName, formatNames } from './formats/formats.js';
export {
	type CallOptions,
	type CreateOptions,
	createTranscriber,
	type EarshotTranscriber,
	type RequestOptions,
	type Source,
} from './library.js';
export type { Capabilities, ModelFacts } from './speech/model-info.js';
export type { Segment, Task, TokenLogprob, Transcript, Word } from './speech/transcript.js';
