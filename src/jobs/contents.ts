/** What the blobs of a job say, in JSON. */

import type { Timing } from '../speech/timing.js';
import type { Transcript } from '../speech/transcript.js';

/** `request.json`: the fields of the request as they came, so that a later start reads them by the same rules. */
export interface RequestBlob {
	readonly fields: readonly (readonly [name: string, values: readonly string[]])[];
	/** The model that the path named, as Azure's clients do. */
	readonly deployment?: string;
}

/** `result.json`: any format is rendered from it. */
export interface ResultBlob {
	readonly transcript: Transcript;
	/** Of the last attempt. */
	readonly timing?: Timing;
}
