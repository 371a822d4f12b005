import path from 'node:path';

/** The compiled entry of the host process, wherever the caller runs from. */
export function hostScript(packageRoot: string): string {
	return path.join(packageRoot, 'dist', 'runner', 'child', 'main.js');
}
