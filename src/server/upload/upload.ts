/** A multipart body → the recording and the form's fields. Small recordings stay in memory, larger ones go to a
 * file of ours in a private directory; both are gone when the request ends. Names from the client are never paths.
 *
 * koa-body hands multipart to formidable, which needs watching: its errors carry `httpCode` where koa reads
 * `status`; it takes every part with a Content-Type for a file and every part without for text; it keeps opening
 * files after it has failed; and it rejects into nowhere when a text part names a transfer encoding. */

import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { type Options as FormidableOptions, multipart } from 'formidable';
import type { Context } from 'koa';
import { type ExtendedFormidableOptions, koaBody } from 'koa-body';
import { asEarshotError, EarshotError, expected } from '../../errors.js';
import type { Recording } from '../../speech/recording.js';
import { type FormFields, fieldOf } from '../request/parse.js';
import type { HeldBytes, UploadsInFlight } from './budget.js';

export interface UploadLimits {
	/** Private to this server. */
	readonly directory: string;
	readonly maxUploadBytes: number;
	/** Recordings up to this size never touch the disk. */
	readonly memoryUploadBytes: number;
	readonly inFlight: UploadsInFlight;
}

export interface Upload {
	readonly recording: Recording;
	/** Size of the recording. */
	readonly bytes: number;
	readonly fields: FormFields;
	/** Removes the file, if there is one, and makes room for other uploads. Safe to call twice. */
	discard(): Promise<void>;
}

/** All text fields together; the longest honest one is a prompt. */
const maxFieldsBytes = 1 << 20;
/** What surrounds the recording in the body: the fields, and a line or two for each part. */
const maxFormBytes = maxFieldsBytes + (64 << 10);
const maxParts = 1000;
/** Read and thrown away after a refusal, so that clients which send everything before they listen get to hear it. */
const maxDiscardedBytes = 256 << 20;

export type ReceiveUpload = (ctx: Context, signal: AbortSignal) => Promise<Upload>;

/** Receives uploads, each of which ends with `cancelled` when its signal fires: the client has gone, or no time is left. */
export function uploadReceiver(limits: UploadLimits): ReceiveUpload {
	// koa-body takes longer to check its options than to read a short recording: it is told them once.
	const forms = new WeakMap<IncomingMessage, Form>();
	const read = koaBody({
		multipart: true,
		json: false,
		text: false,
		urlencoded: false,
		formidable: formidableOptions(limits, forms),
	});
	return async (ctx, signal) => {
		let form: Form | undefined;
		try {
			refuseUnread(ctx, limits);
			form = new Form(limits, limits.inFlight.begin(ctx.request.length ?? 0));
			forms.set(ctx.req, form);
			await whileWanted(
				read(ctx, async () => {}),
				signal,
			);
			return form.finish(ctx.request.body);
		} catch (thrown) {
			drain(ctx.req);
			await form?.discard();
			throw form?.explain(thrown) ?? thrown;
		}
	};
}

/** What `work` still does after the signal finds the form closed. */
async function whileWanted(work: Promise<void>, signal: AbortSignal): Promise<void> {
	let gone: (() => void) | undefined;
	const cancelled = new Promise<never>((_, reject) => {
		gone = () => reject(new EarshotError('cancelled', 'the upload was cancelled'));
		signal.addEventListener('abort', gone);
		if (signal.aborted) gone();
	});
	try {
		await Promise.race([work, cancelled]);
	} finally {
		if (gone) signal.removeEventListener('abort', gone);
	}
}

/** What can be known from the headers alone. */
function refuseUnread(ctx: Context, { maxUploadBytes }: UploadLimits): void {
	const type = ctx.get('content-type');
	if (!/^multipart\/form-data *;/i.test(type)) {
		throw new EarshotError(
			'invalid_request',
			`Expected the body to be \`multipart/form-data\` with the recording in a part named \`file\`, got ${type === '' ? 'no content type' : `\`${type.slice(0, 80)}\``}`,
		);
	}
	const declared = ctx.request.length ?? 0;
	if (declared > maxUploadBytes + maxFormBytes) throw tooLarge(maxUploadBytes, declared);
}

type Part = Parameters<NonNullable<ExtendedFormidableOptions['onPart']>>[0] & {
	/** Missing in the types. */
	transferEncoding?: string;
};

/** What formidable makes of a request; all this is missing in its types. */
interface IncomingForm {
	readonly req: IncomingMessage;
	/** Its own. */
	readonly options: FormidableOptions;
	onPart: (part: Part) => void;
	_handlePart: (part: Part) => Promise<void>;
}

function formidableOptions(
	{ directory, maxUploadBytes }: UploadLimits,
	forms: WeakMap<IncomingMessage, Form>,
): FormidableOptions {
	return {
		// Unused both; what formidable would do instead costs as much as reading a short recording.
		uploadDir: directory,
		filename: () => '',
		// Its other parsers would be chosen for a word in the boundary, and the one for JSON knows no limit.
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
		// Refused below, in words that name the field.
		allowEmptyFiles: true,
		minFileSize: 0,
	};
}

class Form {
	readonly #limits: UploadLimits;
	readonly #held: HeldBytes;
	readonly #sinks: RecordingSink[] = [];
	#bytesRead = 0;
	#closed = false;
	#sawTextFile = false;
	/** Recordings of speakers would not fit among the text fields; that they are there is enough to refuse them. */
	readonly #unreadFields = new Map<string, readonly string[]>();

	constructor(limits: UploadLimits, held: HeldBytes) {
		this.#limits = limits;
		this.#held = held;
	}

	takePartsOf(incoming: IncomingForm): void {
		const { req } = incoming;
		incoming.onPart = (part) => {
			if (this.#closed) return;
			part.on('data', (bytes: Buffer) => {
				this.#bytesRead += bytes.length;
			});
			this.#sort(part);
			incoming._handlePart(part).catch((error: Error) => req.destroy(error));
		};
		incoming.options.fileWriteStreamHandler = (file?: object) => this.#sinkFor(file);
	}

	/** Decides what a part is, by setting what formidable decides by: the media type. */
	#sort(part: Part): void {
		// Only read for text parts from here on, where formidable would throw on `7bit` and undo base64.
		part.transferEncoding = 'utf-8';
		const name = part.name ?? '';
		const field = part.originalFilename === null ? fieldOf(name) : undefined;
		if (field === 'known_speaker_references') this.#unreadFields.set(name, ['a recording']);
		else if (field !== undefined) {
			part.mimetype = null;
			return;
		}
		// python-requests gives a file no Content-Type; some clients give every field one.
		const isRecording = name === 'file' && (part.originalFilename !== null || Boolean(part.mimetype));
		if (name === 'file' && !isRecording) this.#sawTextFile = true;
		part.mimetype = isRecording ? recordingType : ignoredType;
	}

	#sinkFor(file: { mimetype?: string } | undefined): Writable {
		if (this.#closed || file?.mimetype !== recordingType) return new IgnoringSink();
		const sink = new RecordingSink(
			join(this.#limits.directory, randomUUID()),
			this.#limits.memoryUploadBytes,
			this.#held,
		);
		this.#sinks.push(sink);
		return sink;
	}

	finish(body: unknown): Upload {
		const [sink, ...others] = this.#sinks;
		if (sink === undefined) {
			throw expected(
				'file',
				'an uploaded file',
				this.#sawTextFile ? 'a text field: the part needs a filename' : undefined,
			);
		}
		if (others.length > 0) throw expected('file', 'one file', `${this.#sinks.length} files`);
		if (sink.errored !== null) throw sink.errored;
		if (sink.size === 0) throw expected('file', 'a recording', 'an empty file');
		const fields = new Map([...formFields(body), ...this.#unreadFields]);
		const { size } = sink;
		return { recording: sink.recording(), bytes: size, fields, discard: () => this.discard() };
	}

	async discard(): Promise<void> {
		this.#closed = true;
		await Promise.all(this.#sinks.map((sink) => sink.discard()));
		this.#held.giveBack();
	}

	explain(thrown: unknown): unknown {
		if (!(thrown instanceof Error)) return thrown;
		const { httpCode, code } = thrown as { httpCode?: unknown; code?: unknown };
		if (typeof httpCode !== 'number') {
			if (code !== 'ENOSPC') return thrown;
			return new EarshotError('internal', 'there is no room on the disk for the upload', { cause: thrown });
		}
		switch (code) {
			case formidableCodes.aborted:
				return new EarshotError('cancelled', 'the client ended the upload', { cause: thrown });
			case formidableCodes.fieldsTooLarge:
				return new EarshotError(
					'upload_too_large',
					`Maximum size of the text fields (${maxFieldsBytes}) exceeded`,
					{ cause: thrown },
				);
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

/** Copies what is a field of the request, and nothing that only looks like one. */
function formFields(body: unknown): FormFields {
	const given = typeof body === 'object' && body !== null ? body : {};
	return new Map(
		Object.entries(given).map(([name, value]: [string, unknown]) => [
			name,
			(Array.isArray(value) ? value : [value]).map(String),
		]),
	);
}

function tooLarge(maxUploadBytes: number, bytesRead: number): EarshotError {
	return new EarshotError(
		'upload_too_large',
		`Maximum content size limit (${maxUploadBytes}) exceeded (${bytesRead} bytes read)`,
		{ param: 'file' },
	);
}

/** Reads on without keeping anything. A connection that was closed with bytes unread would be reset, and the
 * client might never see the refusal. */
function drain(req: IncomingMessage): void {
	let left = maxDiscardedBytes;
	req.on('data', (bytes: Buffer) => {
		left -= bytes.length;
		if (left < 0) req.destroy();
	});
	req.resume();
}

class IgnoringSink extends Writable {
	override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
		done();
	}
}

/** Holds a recording in memory until it grows past `memoryBytes`, then in the file at `path`. */
class RecordingSink extends Writable {
	readonly #path: string;
	readonly #memoryBytes: number;
	readonly #held: HeldBytes;
	#chunks: Buffer[] = [];
	#file: FileHandle | undefined;
	/** The write to disk that may be under way. */
	#writing: Promise<void> = Promise.resolve();
	#discarded = false;
	size = 0;

	constructor(path: string, memoryBytes: number, held: HeldBytes) {
		// The recording outlives the stream that wrote it, so the stream must not clean up by itself.
		super({ autoDestroy: false });
		this.#path = path;
		this.#memoryBytes = memoryBytes;
		this.#held = held;
	}

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
		if (this.#discarded) {
			done();
			return;
		}
		this.size += chunk.length;
		try {
			// Where the size was not told before.
			this.#held.growTo(this.size);
		} catch (thrown) {
			done(asEarshotError(thrown));
			return;
		}
		this.#chunks.push(chunk);
		if (this.size <= this.#memoryBytes) {
			done();
			return;
		}
		this.#writing = this.#spill();
		this.#writing.then(() => done(), done);
	}

	override _final(done: (error?: Error | null) => void): void {
		this.#closeFile().then(() => done(), done);
	}

	override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
		this.discard().then(() => done(error), done);
	}

	/** To be called once: the pieces are let go. */
	recording(): Recording {
		if (this.size > this.#memoryBytes) return { path: this.#path };
		const bytes = Buffer.concat(this.#chunks);
		this.#chunks = [];
		return { bytes };
	}

	async discard(): Promise<void> {
		// Formidable writes on after it has failed.
		this.#discarded = true;
		this.#chunks = [];
		if (this.size <= this.#memoryBytes) return;
		await this.#writing.catch(() => {
			// Whoever wrote has been told; here it only matters that the write is over.
		});
		await this.#closeFile();
		await unlink(this.#path).catch((error: NodeJS.ErrnoException) => {
			if (error.code !== 'ENOENT') throw error;
		});
	}

	async #spill(): Promise<void> {
		if (this.#file === undefined) {
			// A cleaner of temporary files may have removed the directory of a server that runs for weeks.
			await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
			this.#file = await open(this.#path, 'wx', 0o600);
		}
		const chunks = this.#chunks;
		this.#chunks = [];
		await this.#file.appendFile(Buffer.concat(chunks));
	}

	async #closeFile(): Promise<void> {
		const file = this.#file;
		this.#file = undefined;
		await file?.close();
	}
}
