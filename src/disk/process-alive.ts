/** Whether a process runs. */

/** True also for processes of other users. */
export function isAlive(pid: number): boolean {
	try {
		// Signal 0 only checks.
		process.kill(pid, 0);
		return true;
	} catch (thrown) {
		return (thrown as NodeJS.ErrnoException).code === 'EPERM';
	}
}
