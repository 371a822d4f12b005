/** Where the files of this package lie, whether this runs from src/ or dist/. */

import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder that holds package.json. */
export const packageRoot = fileURLToPath(new URL('../', import.meta.url));

/** The bundled voice activity detector: Silero v6, ONNX. */
export const sileroPath = path.join(packageRoot, 'vendor', 'silero-vad', 'silero_vad_v6.onnx');

/** The compiled entry of the process that runs a model. */
export const runnerScript = path.join(packageRoot, 'dist', 'runner', 'child', 'main.js');
