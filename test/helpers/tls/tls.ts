/** Certificates that are valid for a hundred years, each signed by itself; made with `openssl req -x509`. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

function pair(name: string) {
	const [certFile, keyFile] = [file(`${name}.cert.pem`), file(`${name}.key.pem`)];
	return {
		certFile,
		keyFile,
		cert: readFileSync(certFile, 'utf8'),
		key: readFileSync(keyFile, 'utf8'),
		warnings: [],
	};
}

/** For localhost and 127.0.0.1. */
export const localhost = pair('localhost');

/** For speech.example. */
export const speech = pair('speech');

/** The key of `localhost`, with a passphrase. */
export const lockedKey = file('locked.key.pem');
