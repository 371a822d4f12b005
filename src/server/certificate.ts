/** The certificate of a running server: presented to clients, written to a file for this user's commands, and reloaded
 * on SIGHUP. */

import type { Config } from '../core/config/settings.js';
import { reasonOf } from '../core/errors.js';
import type { Log } from '../core/log.js';
import { certificateFileOf, removeCertificate, writeCertificate } from './local-token.js';
import type { RunningServer } from './server.js';
import { readTls, type TlsFiles, type TlsIdentity, tlsFilesOf } from './tls.js';

export class ServedCertificate {
	readonly #files: TlsFiles | undefined;
	readonly #log: Log;
	#identity: TlsIdentity | undefined;

	private constructor(files: TlsFiles | undefined, identity: TlsIdentity | undefined, log: Log) {
		this.#files = files;
		this.#identity = identity;
		this.#log = log;
		this.#warn();
	}

	/** Throws `config_invalid`, so that the server does not start with a mistake. */
	static async read(
		{ tlsCert, tlsKey }: Pick<Config, 'tlsCert' | 'tlsKey'>,
		log: Log,
	): Promise<ServedCertificate> {
		const files = tlsFilesOf(tlsCert, tlsKey);
		return new ServedCertificate(files, files && (await readTls(files)), log);
	}

	/** undefined: no TLS. */
	get identity(): TlsIdentity | undefined {
		return this.#identity;
	}

	/** Starts reloading on SIGHUP and writes the file for commands. Returns a function that stops both. */
	async keep(server: RunningServer): Promise<() => Promise<void>> {
		const file = certificateFileOf(server.address);
		await this.#leave(file);
		const files = this.#files;
		// On Windows the signal means that the console was closed.
		if (files === undefined || process.platform === 'win32') return () => this.#remove(file);
		const renew = (): void => void this.#renew(files, server, file);
		process.on('SIGHUP', renew);
		return async () => {
			process.removeListener('SIGHUP', renew);
			await this.#remove(file);
		};
	}

	/** Never rejects. */
	async #renew(files: TlsFiles, server: RunningServer, file: string): Promise<void> {
		try {
			const identity = await readTls(files);
			server.renewTls(identity);
			this.#identity = identity;
			this.#log.info({}, 'the certificate was read again');
			this.#warn();
			await this.#leave(file);
		} catch (thrown) {
			this.#log.error(
				{ code: 'config_invalid' },
				`${reasonOf(thrown)}; the previous certificate stays in use`,
			);
		}
	}

	#warn(): void {
		for (const warning of this.#identity?.warnings ?? []) this.#log.warn({}, warning);
	}

	async #leave(file: string): Promise<void> {
		try {
			await writeCertificate(file, this.#identity?.cert);
		} catch (thrown) {
			this.#log.warn(
				{},
				`the state folder cannot be written (${reasonOf(thrown)}): commands that use this server need \`--tls-cert\``,
			);
		}
	}

	async #remove(file: string): Promise<void> {
		if (this.#identity) await removeCertificate(file, this.#identity.cert);
	}
}
