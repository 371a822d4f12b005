/** The server that the machines of a cluster share, Redis or PostgreSQL. */

import type { Records } from './records/records.js';
import type { Transport } from './transport/transport.js';

export interface OpenServerOptions {
	readonly url: string;
	/** Whether commands wait while the server is unreachable, or fail within seconds. */
	readonly waitsForServer: boolean;
	readonly onError: (error: unknown) => void;
}

export interface ClusterServer {
	readonly records: Records;
	readonly transport: Transport;
	close(): Promise<void>;
}
