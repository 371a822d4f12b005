/** What an upload may be. */

import { EarshotError } from '../../errors.js';
import type { UploadBudget } from './budget.js';

export interface UploadLimits {
	/** Private to this server. */
	readonly directory: string;
	readonly maxUploadBytes: number;
	/** Recordings up to this size never touch the disk. */
	readonly memoryUploadBytes: number;
	readonly inFlight: UploadBudget;
}

/** All text fields together; the longest honest one is a prompt. */
export const maxFieldsBytes = 1 << 20;
/** What surrounds the recording in the body: the fields, and a line or two for each part. */
export const maxFormBytes = maxFieldsBytes + (64 << 10);
export const maxParts = 1000;

export function tooLarge(maxUploadBytes: number, bytesRead: number): EarshotError {
	return new EarshotError(
		'upload_too_large',
		`Maximum content size limit (${maxUploadBytes}) exceeded (${bytesRead} bytes read)`,
		{ param: 'file' },
	);
}
