/** A multipart body → the recording and the form's fields. Small recordings stay in memory, larger ones go to a
 * file of ours in a private directory; both are gone when the request ends. Names from the client are never paths. */

import type { IncomingMessage } from 'node:http';
import type { Context } from 'koa';
import { koaBody } from 'koa-body';
import { whileWanted } from '../../abort.js';
import { EarshotError } from '../../errors.js';
import { Form, formidableOptions, type Upload } from './form.js';
import { maxFormBytes, tooLarge, type UploadLimits } from './limits.js';

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
				'upload',
			);
			return form.finish(ctx.request.body);
		} catch (thrown) {
			drain(ctx.req);
			await form?.discard();
			throw form?.explain(thrown) ?? thrown;
		}
	};
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
