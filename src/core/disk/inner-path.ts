/** Validates untrusted paths. Pure. */

/** Whether the path stays below the folder that it is joined to, on every platform. */
export const isInnerPath = (value: unknown): value is string =>
	typeof value === 'string' &&
	/^[^\\:\0]+$/.test(value) &&
	value.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
