/** The settings of a cluster of servers and workers; rows of the table in settings.ts. */

import path from 'node:path';
import type { Setting } from './setting.js';
import { Expectation, flag, httpUrl } from './values.js';

export const clusterSettings = {
	queue: {
		scope: 'server',
		flag: 'queue',
		valueName: 'URL',
		help: 'queue server that machines share their jobs through, redis://, rediss:// or postgres://; with a password, use the variable',
		default: '',
		defaultText: 'none: jobs stay on this machine',
		parse: urlOf('redis:', 'rediss:', 'postgres:', 'postgresql:'),
		isSecret: true,
		notInFile: true,
	},
	blobs: {
		scope: 'server',
		flag: 'blobs',
		valueName: 'URL',
		help: 'where those machines keep recordings and results: a folder that all of them see, or s3://bucket/prefix',
		default: '',
		defaultText: 'none; needed with --queue',
		parse: (text) =>
			URL.canParse(text) ? urlOf('file:', 's3:')(text) : new URL(`file://${path.resolve(text)}`).href,
	},
	noWorker: {
		scope: 'server',
		flag: 'no-worker',
		valueName: '',
		help: 'with --queue: run no models here, and leave all recordings to workers',
		default: false,
		parse: flag,
		isSwitch: true,
	},
	advertise: {
		scope: 'server',
		flag: 'advertise',
		valueName: 'URL',
		help: 'where servers reach this worker',
		default: '',
		defaultText: 'its first address, and its port',
		parse: httpUrl,
	},
} as const satisfies Readonly<Record<string, Setting>>;

function urlOf(...protocols: readonly string[]): (text: string) => string {
	return (text) => {
		if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text;
		throw new Expectation(`a URL that begins with ${protocols.map((each) => `${each}//`).join(' or ')}`);
	};
}
