/** One JSON line per event, on stderr: stdout belongs to the command. Never the words of a recording, never a key. */

import { type DestinationStream, destination, pino } from 'pino';

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export type LogLevel = (typeof logLevels)[number];

type Write = (fields: object, message: string) => void;

export interface Log {
	readonly error: Write;
	readonly warn: Write;
	readonly info: Write;
	readonly debug: Write;
	child(fields: Record<string, unknown>): Log;
}

export interface LogOptions {
	readonly level: LogLevel;
	/** For tests; stderr where absent. */
	readonly stream?: DestinationStream;
}

export function createLog({ level, stream }: LogOptions): Log {
	// Synchronous: a line is out before the process can die, and a server writes one line per request.
	return pino({ level, base: null }, stream ?? destination({ fd: 2, sync: true }));
}

const drop: Write = () => {};

export const silentLog: Log = { error: drop, warn: drop, info: drop, debug: drop, child: () => silentLog };
