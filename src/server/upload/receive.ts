/** Receives a body: the recording and the request's fields. Small recordings stay in memory, larger ones are written to
 * a file in a private directory; both are released when the request ends. Client file names are never used as paths. */

import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import { koaBody } from 'koa-body';
import { abortable } from '../../core/abort.js';
import { EarshotError, expected } from '../../core/errors.js';
import { Fields, type FormFields, fieldOf } from '../request/fields/fields.js';
import { fetchRecording, recordingUrlOf } from './fetch.js';
import { Form, formidableOptions, type Upload } from './form.js';
import { maxFormBytes, tooLarge, type UploadLimits } from './limits.js';
import { rawTypes, receiveRaw } from './raw.js';

export type ReceiveUpload = (ctx: Context, signal: AbortSignal) => Promise<Upload>;

/** Receives uploads. `isJob`: the form may name the URL of its recording instead. Throws `cancelled` when the signal aborts: the client disconnected, or its time limit was reached. */
export function uploadReceiver(limits: UploadLimits, isJob = false): ReceiveUpload {
	// Configured once, since koa-body takes longer to check its options than to read a short recording.
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
			if (rawTypes.test(ctx.get('content-type')))
				return onlyRecording(await receiveRaw(ctx, limits, signal), isJob);
			form = new Form(limits, limits.inFlight.begin(ctx.request.length ?? 0));
			forms.set(ctx.req, form);
			await abortable(
				read(ctx, async () => {}),
				signal,
				'upload',
			);
			if (form.hasRecording) return onlyRecording(form.finish(ctx.request.body), isJob);
			const fields = form.fields(ctx.request.body);
			const url = recordingUrlOf(fields, { isJob, allowed: limits.fetchHosts ?? [] });
			if (url === undefined) return form.finish(ctx.request.body);
			await form.discard();
			return { ...(await fetchRecording(url, limits, signal)), fields: withoutUrl(fields) };
		} catch (thrown) {
			await form?.discard();
			throw form?.explain(thrown) ?? thrown;
		}
	};
}

/** Throws if a job has a file and a URL. Other routes ignore `url` beside a file. */
function onlyRecording(upload: Upload, isJob: boolean): Upload {
	if (isJob && new Fields(upload.fields).text('url') !== undefined) {
		void upload.discard();
		throw expected('url', 'left out where the recording is sent', 'both');
	}
	return upload;
}

/** The URL may contain a signature, and does not change the transcript. */
function withoutUrl(fields: FormFields): FormFields {
	return new Map([...fields].filter(([name]) => fieldOf(name) !== 'url'));
}

/** Refuses by the headers alone: a wrong content type, or a declared size above the limit. */
function refuseUnread(ctx: Context, { maxUploadBytes }: UploadLimits): void {
	const type = ctx.get('content-type');
	if (!/^multipart\/form-data *;/i.test(type) && !rawTypes.test(type)) {
		throw new EarshotError(
			'invalid_request',
			`Expected the body to be \`multipart/form-data\` with the recording in a part named \`file\`, or the recording itself as \`audio/…\`, got ${type === '' ? 'no content type' : `\`${type.slice(0, 80)}\``}`,
		);
	}
	const declared = ctx.request.length ?? 0;
	if (declared > maxUploadBytes + maxFormBytes) throw tooLarge(maxUploadBytes, declared);
}
