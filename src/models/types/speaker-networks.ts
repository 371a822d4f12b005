/** Finds the two networks of diarization in a folder, by their metadata. */

import path from 'node:path';
import { diarizationType } from '../../core/speech/model-info.js';
import { NotOnnx } from '../../model-files/onnx-fields.js';
import { readOnnx } from '../../model-files/onnx-file.js';
import { namesIn } from './folder.js';
import type { IdentifiedModel } from './identify.js';

/** A folder with more networks is not a diarization model. */
const maxNetworks = 20;

/** undefined if one of them is missing. Prefers full precision, since 8-bit networks are less accurate and slower. */
export async function identifySpeakerNetworks(folder: string): Promise<IdentifiedModel | undefined> {
	const names = (await namesIn(folder)).filter((name) => name.endsWith('.onnx'));
	if (names.length < 2 || names.length > maxNetworks) return undefined;
	const files: Record<string, string> = {};
	const inBits = (name: string) => Number(/int8/i.test(name));
	names.sort((a, b) => inBits(a) - inBits(b) || a.length - b.length || (a < b ? -1 : 1));
	for (const name of names) {
		const role = roleOf(await metadataOf(path.join(folder, name)));
		if (role !== undefined) files[role] ??= name;
	}
	const { segmentation, embedding } = files;
	if (segmentation === undefined || embedding === undefined) return undefined;
	return { type: diarizationType, folder, files: { segmentation, embedding } };
}

function roleOf(metadata: ReadonlyMap<string, string>): 'segmentation' | 'embedding' | undefined {
	if (metadata.has('powerset_max_classes')) return 'segmentation';
	const isVoices = /^(3d-speaker|wespeaker)$/.test(metadata.get('framework') ?? '');
	return isVoices ? 'embedding' : undefined;
}

async function metadataOf(file: string): Promise<ReadonlyMap<string, string>> {
	try {
		return (await readOnnx(file)).metadata;
	} catch (thrown) {
		if (thrown instanceof NotOnnx) return new Map();
		throw thrown;
	}
}
