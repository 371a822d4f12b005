/** GET /v1/doctor: what `earshot doctor` finds on the server's machine. */

import { EarshotError } from '../../core/errors.js';
import type { RequestHandler } from '../request/context.js';
import { requireTrust } from '../request/guard.js';

export interface DoctorReport {
	/** True if nothing is missing. */
	readonly ok: boolean;
	readonly findings: readonly DoctorFinding[];
}

export interface DoctorFinding {
	readonly ok: boolean;
	readonly what: string;
	readonly detail: string;
}

export interface DoctorOptions {
	/** Examines the machine, in a separate process; undefined: not supported by this server. */
	readonly examine?: (() => Promise<DoctorReport>) | undefined;
}

/** Concurrent requests share one report. */
export function showDoctor({ examine }: DoctorOptions): RequestHandler {
	let running: Promise<DoctorReport> | undefined;
	return async (ctx) => {
		requireTrust(ctx, 'The report of the doctor');
		if (examine === undefined) throw new EarshotError('not_found', 'This server cannot examine its machine');
		running ??= examine().finally(() => {
			running = undefined;
		});
		const { ok, findings } = await running;
		ctx.body = { object: 'doctor', ok, findings };
	};
}
