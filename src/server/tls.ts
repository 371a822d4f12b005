/** The server's certificate: read and checked at the start, and again when it has been renewed. */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { EarshotError, reasonOf } from '../core/errors.js';

/** A certificate and its private key, checked to belong together. */
export interface TlsIdentity {
	/** PEM; the server's own certificate first, then the intermediate certificates. */
	readonly cert: string;
	/** PEM. */
	readonly key: string;
	/** Problems for which clients will refuse the certificate, such as expiry. */
	readonly warnings: readonly string[];
}

export interface TlsFiles {
	readonly certFile: string;
	readonly keyFile: string;
}

/** undefined where neither is set: no TLS. Throws `config_invalid` for one without the other. */
export function tlsFilesOf(certFile: string, keyFile: string): TlsFiles | undefined {
	if (certFile === '' && keyFile === '') return undefined;
	if (keyFile === '') throw invalid('tls-key', 'set together with `tls-cert`', 'nothing');
	if (certFile === '') throw invalid('tls-cert', 'set together with `tls-key`', 'nothing');
	return { certFile, keyFile };
}

/** Throws `config_invalid`. */
export async function readTls({ certFile, keyFile }: TlsFiles, nowMs = Date.now()): Promise<TlsIdentity> {
	const cert = await textOf('tls-cert', certFile);
	const key = await textOf('tls-key', keyFile);
	const shown = certificateIn(cert, certFile);
	if (!shown.checkPrivateKey(keyIn(key, keyFile)))
		throw invalid(
			'tls-key',
			`the private key of the certificate in \`${certFile}\``,
			`\`${keyFile}\`, which is that of another`,
		);
	try {
		createSecureContext({ cert, key });
	} catch (thrown) {
		throw invalid('tls-cert', 'a certificate that OpenSSL accepts', `\`${certFile}\` (${reasonOf(thrown)})`);
	}
	return { cert, key, warnings: agesOf(shown, certFile, nowMs) };
}

async function textOf(setting: string, file: string): Promise<string> {
	try {
		return await readFile(file, 'utf8');
	} catch (thrown) {
		throw invalid(setting, 'a file that this user can read', `\`${file}\` (${reasonOf(thrown)})`);
	}
}

function certificateIn(pem: string, file: string): X509Certificate {
	try {
		return new X509Certificate(pem);
	} catch {
		throw invalid('tls-cert', "a certificate in PEM form, the server's own first", `\`${file}\``);
	}
}

function keyIn(pem: string, file: string): KeyObject {
	try {
		return createPrivateKey(pem);
	} catch {
		throw invalid('tls-key', 'a private key in PEM form without a passphrase', `\`${file}\``);
	}
}

function agesOf({ validFrom, validTo }: X509Certificate, file: string, nowMs: number): string[] {
	if (Date.parse(validTo) < nowMs)
		return [`the certificate in ${file} has expired (${validTo}): clients will refuse it`];
	if (Date.parse(validFrom) > nowMs)
		return [`the certificate in ${file} is not valid before ${validFrom}: clients will refuse it`];
	return [];
}

function invalid(setting: string, what: string, got: string): EarshotError {
	return new EarshotError('config_invalid', `Expected \`${setting}\` to be ${what}, got ${got}`, {
		param: setting,
	});
}
