/** One JSON line per event on stderr; stdout is the command's output. Never logs transcripts, prompts or keys. */

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
	// Synchronous, so that no line is lost when the process dies; a server writes only one line per request.
	return pino({ level, base: null }, stream ?? destination({ fd: 2, sync: true }));
}

const drop: Write = () => {};

export const silentLog: Log = { error: drop, warn: drop, info: drop, debug: drop, child: () => silentLog };
