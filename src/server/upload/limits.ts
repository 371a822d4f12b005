/** Limits of an upload. */

import { EarshotError } from '../../core/errors.js';
import type { UploadBudget } from './budget.js';

export interface UploadLimits {
	/** For large uploads; private to this server. */
	readonly directory: string;
	readonly maxUploadBytes: number;
	/** Recordings up to this size stay in memory. */
	readonly memoryUploadBytes: number;
	readonly inFlight: UploadBudget;
	/** HOST or HOST:PORT, from which recordings of jobs may be fetched; absent = none. */
	readonly fetchHosts?: readonly string[];
}

/** All text fields together, except the recordings of known speakers. */
export const maxTextBytes = 1 << 20;
/** All text fields together. */
export const maxFieldsBytes = 16 << 20;
/** The body without the recording: the text fields, and a line or two of headers for each part. */
export const maxFormBytes = maxFieldsBytes + (64 << 10);
export const maxParts = 1000;

export function tooLarge(maxUploadBytes: number, bytesRead: number): EarshotError {
	return new EarshotError(
		'upload_too_large',
		`Maximum content size limit (${maxUploadBytes}) exceeded (${bytesRead} bytes read)`,
		{ param: 'file' },
	);
}
