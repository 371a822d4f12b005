/** How a user runs `earshot` here, so that messages name a command that exists: in a checkout it is npm's. */

import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { EarshotError } from './errors.js';
import { packageRoot } from './paths.js';

export interface Invocation {
	/** Path of the started script, as it was given: a link in a folder of programs is called `earshot`. */
	readonly script: string;
	/** Its folder of package.json. */
	readonly root: string;
	/** Whether that is a checkout, and not an installed package. */
	readonly isCheckout: boolean;
	readonly cwd: string;
}

/** What stands before the name of a command. Pure. */
export function programOf({ script, root, isCheckout, cwd }: Invocation): string {
	// On Windows the script is started by `earshot.cmd`, from an installed package.
	if (!isCheckout || path.parse(script).name === 'earshot') return 'earshot';
	const inside = path.relative(root, cwd);
	const isInside = !inside.startsWith('..') && !path.isAbsolute(inside);
	return isInside ? 'npm run earshot --' : `npm --prefix ${root.replace(/[/\\]$/, '')} run earshot --`;
}

let program: string | undefined;

/** The line that runs a command: `earshot('pull base')` is `earshot pull base`, or `npm run earshot -- pull base`. */
export function earshot(command: string): string {
	program ??= programOf({
		script: process.argv[1] ?? '',
		root: packageRoot,
		isCheckout:
			isOwnScript(process.argv[1] ?? '') && existsSync(path.join(packageRoot, 'scripts', 'setup.mjs')),
		cwd: process.cwd(),
	});
	return `${program} ${command}`;
}

/** Whether this process runs the command or the server, and not a program that has the library. */
function isOwnScript(script: string): boolean {
	try {
		return realpathSync(script) === path.join(packageRoot, 'dist', 'cli', 'main.js');
	} catch {
		return false;
	}
}

/** Makes relative paths those of the user. `folder`: undefined = where this process is. Throws `config_invalid` for one that
 * has been removed. */
export function enterFolder(folder: string | undefined): void {
	try {
		process.chdir(folder ?? process.cwd());
	} catch (cause) {
		const which = folder === undefined ? '' : `, ${folder},`;
		throw new EarshotError(
			'config_invalid',
			`The folder in which this was started${which} is not there any more`,
			{
				cause,
			},
		);
	}
}
