/** Runs the unit of a synchronous request that no worker could accept directly. */

import { asEarshotError, toWire } from '../../core/errors.js';
import { jsonBytes, readBlob } from '../../jobs/blobs.js';
import type { RequestResultBlob } from '../../jobs/contents.js';
import { decodeOptions } from '../../jobs/encode-options.js';
import { blobNames } from '../../jobs/job.js';
import type { UnitLease, UnitRequest } from '../../jobs/queue.js';
import type { Lease } from '../../pool/model-pool.js';
import { lastOf, localFile, type UnitTools, withCheckpoints } from './run-unit.js';

/** Ends the lease, and throws only what the lease throws. A failure is final, since a client waits. `stopping` aborts
 * when this process shuts down. */
export async function runRequest(
	lease: UnitLease,
	request: UnitRequest,
	tools: UnitTools,
	stopping: AbortSignal,
): Promise<void> {
	const { blobs } = tools.storage;
	try {
		const result = await resultOf(lease, request, tools, AbortSignal.any([lease.signal, stopping]));
		if (lease.signal.aborted) return;
		const ref = await blobs.put(`${lease.unit.jobId}/${blobNames.result}`, jsonBytes(result));
		// The request was cancelled in the meantime and its blobs were removed already, except this one.
		if (!(await lease.done(ref)) && isCancelled(lease)) await blobs.delete(ref.key);
	} catch (thrown) {
		if (lease.signal.aborted) return;
		if (stopping.aborted) await lease.release();
		else await lease.fail(toWire(asEarshotError(thrown)), false);
	}
}

async function resultOf(
	lease: UnitLease,
	request: UnitRequest,
	tools: UnitTools,
	signal: AbortSignal,
): Promise<RequestResultBlob> {
	const { pool, storage, admission } = tools;
	const { model: id, seconds } = lease.unit;
	const options = decodeOptions(String(await readBlob(storage.blobs, request.options.key)));
	const file = await localFile(request.audio, lease, tools, signal);
	const ticket = admission.join(id, seconds, 'request');
	let model: Lease | undefined;
	try {
		model = await pool.lease(id, signal);
		const events = withCheckpoints(model, lease).transcribe(file.recording, options, signal);
		return await lastOf(events, { lease, ticket });
	} finally {
		ticket.leave();
		model?.release();
		await file.remove();
	}
}

const isCancelled = ({ signal }: UnitLease): boolean =>
	signal.aborted && asEarshotError(signal.reason).code === 'cancelled';
