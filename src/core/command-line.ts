/** How the user runs `earshot`, so that messages name a command that works: in a checkout it is an npm script. */

import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { EarshotError } from './errors.js';
import { packageRoot } from './paths.js';

export interface Invocation {
	/** Path of the started script, as given on the command line: npm installs a link named `earshot`. */
	readonly script: string;
	/** The package's folder, which has package.json. */
	readonly root: string;
	/** Whether `root` is a checkout rather than an installed package. */
	readonly isCheckout: boolean;
	readonly cwd: string;
}

/** What the user types before the name of a command. Pure. */
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

/** Whether this process runs Earshot's command or server, not another program that uses the library. */
function isOwnScript(script: string): boolean {
	try {
		return realpathSync(script) === path.join(packageRoot, 'dist', 'cli', 'main.js');
	} catch {
		return false;
	}
}

/** Changes the working directory to `folder`, so that relative paths mean what the user meant; undefined = stays.
 * Throws `config_invalid` if the folder has been removed. */
export function enterFolder(folder: string | undefined): void {
	try {
		process.chdir(folder ?? process.cwd());
	} catch (cause) {
		const which = folder === undefined ? '' : `, ${folder},`;
		throw new EarshotError(
			'config_invalid',
			`The folder in which this was started${which} no longer exists`,
			{
				cause,
			},
		);
	}
}
