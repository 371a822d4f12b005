/** Paths that come from others. Pure. */

/** Below the folder it is joined to, whatever the platform. */
export const isInnerPath = (value: unknown): value is string =>
	typeof value === 'string' &&
	/^[^\\:\0]+$/.test(value) &&
	value.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
