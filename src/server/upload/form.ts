/** One multipart form as formidable parses it: decides what each part is, and translates formidable's errors.
 *
 * koa-body passes multipart bodies to formidable, whose faults are worked around here: its errors carry `httpCode`
 * where koa reads `status`; it treats every part with a Content-Type as a file and every part without one as text; it
 * keeps opening files after it has failed; and a text part with a transfer encoding causes an unhandled rejection. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { type Options as FormidableOptions, multipart } from 'formidable';
import type { ExtendedFormidableOptions } from 'koa-body';
import { asEarshotError, EarshotError, expected } from '../../core/errors.js';
import type { Recording } from '../../core/speech/recording.js';
import { type FieldName, type FormFields, fieldOf } from '../request/fields/fields.js';
import type { Reservation } from './budget.js';
import { maxFieldsBytes, maxParts, maxTextBytes, tooLarge, type UploadLimits } from './limits.js';
import { IgnoringSink, RecordingSink } from './sink.js';

export interface Upload {
	readonly recording: Recording;
	/** Size of the recording. */
	readonly bytes: number;
	readonly fields: FormFields;
	/** Removes the file, if there is one, and releases the upload's reservation. Safe to call twice. */
	discard(): Promise<void>;
}

type Part = Parameters<NonNullable<ExtendedFormidableOptions['onPart']>>[0] & {
	/** Both missing in the types. */
	transferEncoding?: string;
	readonly headers?: Readonly<Record<string, string>>;
};

/** Formidable's internal form object; none of this is in its types. */
interface IncomingForm {
	readonly req: IncomingMessage;
	/** This form's own copy. */
	readonly options: FormidableOptions;
	onPart: (part: Part) => void;
	_handlePart: (part: Part) => Promise<void>;
	/** Fails the form. */
	_error: (error: Error) => void;
}

export function formidableOptions(
	{ directory, maxUploadBytes }: UploadLimits,
	forms: WeakMap<IncomingMessage, Form>,
): FormidableOptions {
	return {
		// Both unused; formidable's defaults cost as much as reading a short recording.
		uploadDir: directory,
		filename: () => '',
		// Formidable picks its other parsers by a word anywhere in the Content-Type, and the JSON one has no size limit.
		enabledPlugins: [
			(formidable, options) => {
				const incoming = formidable as unknown as IncomingForm;
				forms.get(incoming.req)?.takePartsOf(incoming);
				return multipart(formidable, options);
			},
		],
		maxFileSize: maxUploadBytes,
		maxTotalFileSize: maxUploadBytes,
		maxFieldsSize: maxFieldsBytes,
		maxFields: maxParts,
		maxFiles: maxParts,
		// Refused below, with a message that names the field.
		allowEmptyFiles: true,
		minFileSize: 0,
	};
}

export class Form {
	readonly #limits: UploadLimits;
	readonly #reservation: Reservation;
	readonly #sinks: RecordingSink[] = [];
	#bytesRead = 0;
	/** Size of the text fields, except the recordings of known speakers. */
	#textBytes = 0;
	#closed = false;
	#hasTextFile = false;
	/** The first text field that was sent as a file, whose value would be lost. */
	#fieldSentAsFile: FieldName | undefined;

	constructor(limits: UploadLimits, reservation: Reservation) {
		this.#limits = limits;
		this.#reservation = reservation;
	}

	takePartsOf(incoming: IncomingForm): void {
		const { req } = incoming;
		incoming.onPart = (part) => {
			if (this.#closed) return;
			const field = this.#sort(part);
			part.on('data', (bytes: Buffer) => {
				this.#bytesRead += bytes.length;
				if (field === undefined || this.#closed) return;
				try {
					this.#takeText(field, bytes.length);
				} catch (thrown) {
					incoming._error(asEarshotError(thrown));
				}
			});
			incoming._handlePart(part).catch((error: Error) => req.destroy(error));
		};
		incoming.options.fileWriteStreamHandler = (file?: object) => this.#sinkFor(file);
	}

	/** Throws `upload_too_large` or `overloaded`. Formidable keeps text in memory, so large fields are counted as part of
	 * the upload. */
	#takeText(field: FieldName, bytes: number): void {
		if (field === 'known_speaker_references') {
			this.#reservation.add(bytes);
			return;
		}
		this.#textBytes += bytes;
		if (this.#textBytes > maxTextBytes) throw textTooLarge(maxTextBytes);
	}

	/** Decides whether a part is a file or text, by setting the media type that formidable checks. Returns the name of a
	 * text field. */
	#sort(part: Part): FieldName | undefined {
		// From here on only read for text parts, where formidable would throw on `7bit` and decode base64.
		part.transferEncoding = 'utf-8';
		const name = part.name ?? '';
		const field = fieldOf(name);
		const isFile = part.originalFilename !== null || hasEncodedFilename(part);
		if (field !== undefined && isFile) this.#fieldSentAsFile ??= field;
		else if (field !== undefined) {
			part.mimetype = null;
			return field;
		}
		// python-requests gives a file no Content-Type; some clients give every field one.
		const isRecording = name === 'file' && (isFile || Boolean(part.mimetype));
		if (name === 'file' && !isRecording) this.#hasTextFile = true;
		part.mimetype = isRecording ? recordingType : ignoredType;
		return undefined;
	}

	#sinkFor(file: { mimetype?: string } | undefined): Writable {
		if (this.#closed || file?.mimetype !== recordingType) return new IgnoringSink();
		const sink = new RecordingSink(
			join(this.#limits.directory, randomUUID()),
			this.#limits.memoryUploadBytes,
			this.#reservation,
		);
		this.#sinks.push(sink);
		return sink;
	}

	/** Whether a recording has come, as far as the form has been read. */
	get hasRecording(): boolean {
		return this.#sinks.length > 0;
	}

	/** Throws `invalid_request` where one came as a file. */
	fields(body: unknown): FormFields {
		if (this.#fieldSentAsFile !== undefined) throw expected(this.#fieldSentAsFile, 'a text field', 'a file');
		return formFields(body);
	}

	finish(body: unknown): Upload {
		const fields = this.fields(body);
		const [sink, ...others] = this.#sinks;
		if (sink === undefined) {
			throw expected(
				'file',
				'an uploaded file',
				this.#hasTextFile ? 'a text field: the part needs a filename' : undefined,
			);
		}
		if (others.length > 0) throw expected('file', 'one file', `${this.#sinks.length} files`);
		if (sink.errored !== null) throw sink.errored;
		if (sink.size === 0) throw expected('file', 'a recording', 'an empty file');
		const { size } = sink;
		return { recording: sink.recording(), bytes: size, fields, discard: () => this.discard() };
	}

	async discard(): Promise<void> {
		this.#closed = true;
		await Promise.all(this.#sinks.map((sink) => sink.discard()));
		this.#reservation.release();
	}

	explain(thrown: unknown): unknown {
		if (!(thrown instanceof Error)) return thrown;
		const { httpCode, code } = thrown as { httpCode?: unknown; code?: unknown };
		if (typeof httpCode !== 'number') return thrown;
		switch (code) {
			case formidableCodes.aborted:
				return new EarshotError('cancelled', 'the client aborted the upload', { cause: thrown });
			case formidableCodes.fieldsTooLarge:
				return textTooLarge(maxFieldsBytes);
			case formidableCodes.totalTooLarge:
			case formidableCodes.fileTooLarge:
				return tooLarge(this.#limits.maxUploadBytes, this.#bytesRead);
			case formidableCodes.tooManyFields:
			case formidableCodes.tooManyFiles:
				return new EarshotError('invalid_request', `Expected at most ${maxParts} parts in the form`, {
					cause: thrown,
				});
			default:
				return new EarshotError(
					'invalid_request',
					'The multipart body is malformed, or ends before its last boundary',
					{ cause: thrown },
				);
		}
	}
}

function textTooLarge(maxBytes: number): EarshotError {
	return new EarshotError('upload_too_large', `Maximum size of the text fields (${maxBytes}) exceeded`);
}

/** Older versions of python-requests send a name outside ASCII as `filename*=utf-8''…`, which formidable does not read. */
function hasEncodedFilename({ headers }: Part): boolean {
	return /;\s*filename\*=/i.test(headers?.['content-disposition'] ?? '');
}

const recordingType = 'application/octet-stream';
const ignoredType = 'application/x-ignored';

/** From formidable's FormidableError.js. */
const formidableCodes = {
	aborted: 1002,
	fieldsTooLarge: 1006,
	tooManyFields: 1007,
	totalTooLarge: 1009,
	tooManyFiles: 1015,
	fileTooLarge: 1016,
};

/** Copies the own properties of the body: the fields of the form. */
function formFields(body: unknown): FormFields {
	const given = typeof body === 'object' && body !== null ? body : {};
	return new Map(
		Object.entries(given).map(([name, value]: [string, unknown]) => [
			name,
			(Array.isArray(value) ? value : [value]).map(String),
		]),
	);
}
