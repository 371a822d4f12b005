/** How a system asks a program to stop. */

/**
 * Ctrl-C and SIGTERM; on Windows, where nobody can send SIGTERM, Ctrl-C, Ctrl-Break and the closing of the console
 * window, after which Windows leaves ten seconds.
 */
export function stopSignals(platform: string = process.platform): readonly NodeJS.Signals[] {
	return platform === 'win32' ? ['SIGINT', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];
}
