/** The server that the machines of a cluster share, whichever it is. */

import type { Records } from './records/records.js';
import type { Transport } from './transport/transport.js';

export interface OpenServerOptions {
	readonly url: string;
	/** Whether what is told while the server cannot be reached waits for it, or fails soon. */
	readonly isPatient: boolean;
	readonly onError: (error: unknown) => void;
}

export interface ClusterServer {
	readonly records: Records;
	readonly transport: Transport;
	close(): Promise<void>;
}
