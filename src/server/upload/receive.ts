/** Receives a body: the recording and the request's fields. Small recordings stay in memory, larger ones are written to
 * a file in a private directory; both are released when the request ends. Client file names are never used as paths. */

import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import { koaBody } from 'koa-body';
import { whileWanted } from '../../abort.js';
import { EarshotError } from '../../errors.js';
import { Form, formidableOptions, type Upload } from './form.js';
import { maxFormBytes, tooLarge, type UploadLimits } from './limits.js';
import { rawTypes, receiveRaw } from './raw.js';

export type ReceiveUpload = (ctx: Context, signal: AbortSignal) => Promise<Upload>;

/** Receives uploads. Throws `cancelled` when the signal aborts: the client disconnected, or its time limit was reached. */
export function uploadReceiver(limits: UploadLimits): ReceiveUpload {
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
			if (rawTypes.test(ctx.get('content-type'))) return await receiveRaw(ctx, limits, signal);
			form = new Form(limits, limits.inFlight.begin(ctx.request.length ?? 0));
			forms.set(ctx.req, form);
			await whileWanted(
				read(ctx, async () => {}),
				signal,
				'upload',
			);
			return form.finish(ctx.request.body);
		} catch (thrown) {
			await form?.discard();
			throw form?.explain(thrown) ?? thrown;
		}
	};
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
