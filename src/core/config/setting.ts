/** The shape of a row of the settings table. */

export type Value = string | number | boolean | readonly string[];

/**
 * What uses the setting, which decides which commands accept its flag. `server`: serving requests. `model`: running a
 * model.
 * `store`: finding the models on this machine. `fetch`: downloading models.
 */
export type Scope = 'server' | 'model' | 'store' | 'fetch';

export interface Setting<T extends Value = Value> {
	readonly scope: Scope;
	/** Whisper models only: an entry of models.yaml may override it under the same key in its `options`. */
	readonly perModel?: boolean;
	/** With `perModel`: a request may override it for itself, in a field of the same key. */
	readonly perRequest?: boolean;
	/** `--flag VALUE`; a boolean takes no value. */
	readonly flag: string;
	readonly valueName: string;
	readonly help: string;
	readonly default: T;
	/** Shown in --help where the default depends on the machine. */
	readonly defaultText?: string;
	/** Throws Expectation, whose message says what was expected. */
	readonly parse: (text: string) => T;
	/** `--flag` without a value means true. */
	readonly isSwitch?: boolean;
	/** An empty variable is a mistake, not an absent one: the failed command of `KEYS="$(…)"` must not open the server. */
	readonly refusesEmpty?: boolean;
	/** Never part of a message, since messages end up in logs. */
	readonly isSecret?: boolean;
	/** Not a key of models.yaml, since it is the path of that file. */
	readonly notInFile?: boolean;
}
