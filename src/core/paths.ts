/** Paths of files in this package, whether this runs from src/ or dist/. */

import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const packageRoot = fileURLToPath(new URL('../../', import.meta.url));

/** The bundled voice activity detector: Silero v6, ONNX. */
export const sileroPath = path.join(packageRoot, 'vendor', 'silero-vad', 'silero_vad_v6.onnx');

/** The compiled entry point of a runner process. */
export const runnerScript = path.join(packageRoot, 'dist', 'runner', 'child', 'main.js');
