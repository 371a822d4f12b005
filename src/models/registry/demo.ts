/** The bundled demo model of spoken English digits, so that a fresh install can transcribe without a download. */

import path from 'node:path';
import { earshot } from '../../core/command-line.js';
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

/** Shown wherever the demo model is served. */
export function demoNotice(): string {
	return `demo-digits recognizes only spoken English digits. For real speech, find a model with \`${earshot('search')}\` and download it with \`${earshot('pull MODEL')}\`, or add one you have with \`${earshot('add PATH')}\`: https://www.npmjs.com/package/earshot#models`;
}
