/** The bundled demo model: spoken English digits, so that a fresh machine transcribes without a download. */

import path from 'node:path';
import type { ModelEntry } from './entry.js';

export const demoId = 'demo-digits';

export function demoEntry(packageRoot: string): ModelEntry {
	const dir = path.join(packageRoot, 'fixtures', demoId);
	return {
		id: demoId,
		aliases: [],
		type: 'zipformer_ctc',
		files: { model: path.join(dir, 'model.onnx'), tokens: path.join(dir, 'tokens.txt') },
		options: {},
		languages: ['en'],
		ownedBy: 'earshot',
		demo: true,
	};
}

/** Said wherever the demo model is served. */
export const demoNotice =
	'demo-digits hears spoken English digits and nothing else. For real speech choose a model with `earshot search` and fetch it with ' +
	'`earshot pull MODEL`, or put one you have into models.yaml: https://www.npmjs.com/package/earshot#models';
