import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { EarshotError } from '../../../src/core/errors.js';
import { accessRules, localOwner } from '../../../src/server/request/access.js';

const access = accessRules({
	host: '127.0.0.1',
	apiKeys: ['first-key', 'second-key'],
	localToken: 'local-token',
	allowedHosts: [],
	allowedOrigins: [],
});

describe('a host name', () => {
	test('is judged by itself, whatever the request before it had', () => {
		const answers = ['localhost:8000', 'evil.example', 'evil.example', 'localhost:8000', '127.0.0.1'].map(
			(host) => {
				try {
					access.checkHost({ host }, '1.1');
					return 'answered';
				} catch (thrown) {
					return (thrown as EarshotError).code;
				}
			},
		);
		expect(answers).toEqual(['answered', 'host_refused', 'host_refused', 'answered', 'answered']);
	});
});

describe('what a request leaves here belongs', () => {
	test('to the digest of its API key, which does not reveal the key', () => {
		expect(access.ownerOf(['second-key'])).toBe(createHash('sha256').update('second-key').digest('hex'));
		expect(access.ownerOf(['first-key'])).not.toBe(access.ownerOf(['second-key']));
	});

	test('to the key, wherever among the headers it stands', () => {
		expect(access.ownerOf(['of-another-service', 'first-key'])).toBe(access.ownerOf(['first-key']));
	});

	test('to the same owner after a restart, whose token is another', () => {
		expect(access.ownerOf(['local-token'])).toBe(localOwner);
	});

	test('to the local owner where no key is required, whatever a client sends as one', () => {
		const open = accessRules({ host: '127.0.0.1', apiKeys: [], allowedHosts: [], allowedOrigins: [] });
		expect([open.ownerOf([]), open.ownerOf(['sk-anything'])]).toEqual([localOwner, localOwner]);
	});
});
