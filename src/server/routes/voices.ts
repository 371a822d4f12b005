/** GET, POST and DELETE /v1/voices, POST /v1/voices/identify: enrolled voices. */

import { noOptions } from '../../core/speech/options.js';
import type { Recording } from '../../core/speech/recording.js';
import type { FoundSpeakers, SpeakerOptions } from '../../core/speech/speakers.js';
import type { ModelPool } from '../../pool/model-pool.js';
import { enrolled } from '../../speakers/enrolment.js';
import { knownVoice } from '../../speakers/known-voice.js';
import { speakerNames } from '../../speakers/names.js';
import {
	checkedVoiceName,
	type EnrolledVoice,
	noVoice,
	type VoiceStore,
} from '../../speakers/voice-store.js';
import { foundIn } from '../../speakers/with-speakers.js';
import type { RequestContext, RequestHandler } from '../request/context.js';
import { Fields } from '../request/fields/fields.js';
import { requireTrust } from '../request/guard.js';
import type { Upload } from '../upload/form.js';
import type { UploadLimits } from '../upload/limits.js';
import { type ReceiveUpload, uploadReceiver } from '../upload/receive.js';
import { leaseDiarizer } from './speakers.js';

export interface VoicesOptions {
	readonly pool: ModelPool;
	readonly limits: UploadLimits;
	readonly voices: VoiceStore;
}

const changing = 'Enrolling, listing and removing voices';

export function listVoices({ voices }: VoicesOptions): RequestHandler {
	return async (ctx) => {
		requireTrust(ctx, changing);
		ctx.body = { object: 'list', data: (await voices.list()).map(voiceBody) };
	};
}

/** Enrols the voice in the recording; replaces an enrolled voice of the same name. */
export function addVoice({ pool, limits, voices }: VoicesOptions): RequestHandler {
	const receive = uploadReceiver(limits);
	return async (ctx) => {
		requireTrust(ctx, changing);
		await withUpload(ctx, receive, async ({ recording, fields }) => {
			const name = checkedVoiceName(new Fields(fields).text('name') ?? '');
			const found = await speakersIn(pool, recording, { known: [] }, ctx.state.signal);
			const voice: EnrolledVoice = {
				name,
				...enrolled([found], 'file'),
				created: Math.floor(Date.now() / 1000),
			};
			await voices.add(voice);
			ctx.body = voiceBody(voice);
		});
	};
}

export function removeVoice({ voices }: Pick<VoicesOptions, 'voices'>): RequestHandler {
	return async (ctx) => {
		requireTrust(ctx, changing);
		const name = checkedVoiceName(ctx.params.name ?? '');
		if (!(await voices.remove(name))) throw noVoice(name, 'name');
		ctx.body = { object: 'voice', name, deleted: true };
	};
}

/** Identifies the speakers of the recording, without a transcript. */
export function identifyVoices({ pool, limits, voices }: VoicesOptions): RequestHandler {
	const receive = uploadReceiver(limits);
	return async (ctx) => {
		await withUpload(ctx, receive, async ({ recording }) => {
			const known = (await voices.list()).map((voice) => knownVoice(voice));
			const { turns, speakers } = await speakersIn(pool, recording, { known }, ctx.state.signal);
			const names = speakerNames(speakers);
			ctx.body = {
				object: 'list',
				data: speakers.map(({ name }, speaker) => ({
					object: 'speaker',
					speaker: names[speaker],
					name,
					turns: turns.filter((turn) => turn.speaker === speaker).map(({ start, end }) => ({ start, end })),
				})),
			};
		});
	};
}

async function withUpload(
	ctx: RequestContext,
	receive: ReceiveUpload,
	work: (upload: Upload) => Promise<void>,
): Promise<void> {
	const upload = await receive(ctx, ctx.state.signal);
	try {
		await work(upload);
	} finally {
		await upload.discard();
	}
}

async function speakersIn(
	pool: ModelPool,
	recording: Recording,
	speakers: SpeakerOptions,
	signal: AbortSignal,
): Promise<FoundSpeakers> {
	const lease = await leaseDiarizer(pool, 'file', signal);
	try {
		return (await foundIn(lease.transcribe(recording, { ...noOptions, speakers }, signal))).found;
	} finally {
		lease.release();
	}
}

function voiceBody({ name, seconds, created }: EnrolledVoice): object {
	return { object: 'voice', name, seconds, created };
}
