/** What a row of the table of settings says. */

export type Value = string | number | boolean | readonly string[];

/**
 * Who has a use for it, and so which commands take its flag. `server`: serving requests. `model`: running a model.
 * `store`: what is on this machine. `fetch`: getting more.
 */
export type Scope = 'server' | 'model' | 'store' | 'fetch';

export interface Setting<T extends Value = Value> {
	readonly scope: Scope;
	/** Of a Whisper model: an entry of models.yaml may say otherwise for itself, under the same key in its `options`. */
	readonly perModel?: boolean;
	/** `--flag VALUE`; a boolean takes no value. */
	readonly flag: string;
	readonly valueName: string;
	readonly help: string;
	readonly default: T;
	/** Shown in --help where the default depends on the machine. */
	readonly defaultText?: string;
	/** Throws a sentence of what was expected. */
	readonly parse: (text: string) => T;
	/** `--flag` alone says yes. */
	readonly isSwitch?: boolean;
	/** Not a key of the file: it says where the file is. */
	readonly notInFile?: boolean;
}
