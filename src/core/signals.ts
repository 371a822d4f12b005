/** The signals that ask this process to stop. */

/**
 * Ctrl-C and SIGTERM. Windows has no SIGTERM: there they are Ctrl-C, Ctrl-Break and the closing of the console window,
 * after which Windows allows ten seconds.
 */
export function stopSignals(platform: string = process.platform): readonly NodeJS.Signals[] {
	return platform === 'win32' ? ['SIGINT', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM'];
}
