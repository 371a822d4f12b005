import { describe, expect, test } from 'vitest';
import { checkedSecret, keyOf, newSecret, secretHint } from '../../../src/webhooks/secret.js';
import { signedHeaders } from '../../../src/webhooks/sign.js';

/** The example that the libraries of Standard Webhooks are tested with. */
const published = {
	secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
	message: {
		id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
		timestamp: 1_614_265_330,
		body: '{"test": 2432232314}',
	},
	signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};

describe('a signature', () => {
	test('is the published one of the published message', () => {
		expect(signedHeaders(published.message, [published.secret])).toEqual({
			'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
			'webhook-timestamp': '1614265330',
			'webhook-signature': published.signature,
		});
	});

	test('of each secret stands in one header', () => {
		const other = newSecret();
		const [alone] = [signedHeaders(published.message, [other])['webhook-signature']];
		const headers = signedHeaders(published.message, [other, published.secret]);
		expect(headers['webhook-signature']).toBe(`${alone} ${published.signature}`);
	});

	test('is of what is sent: another id, time, body or secret is another signature', () => {
		const { message, secret } = published;
		const variants = [
			{ ...message, id: 'msg_other' },
			{ ...message, timestamp: message.timestamp + 1 },
			{ ...message, body: '{"test":2432232314}' },
		].map((each) => signedHeaders(each, [secret])['webhook-signature']);
		const all = [
			...variants,
			published.signature,
			signedHeaders(message, [newSecret()])['webhook-signature'],
		];
		expect(new Set(all).size).toBe(5);
	});

	test('is absent without a secret', () => {
		expect(signedHeaders(published.message, [])).not.toHaveProperty('webhook-signature');
	});
});

describe('a secret', () => {
	test('is made of 32 random bytes', () => {
		expect(checkedSecret(newSecret(), 'webhook_secret')).toMatch(/^whsec_/);
		expect(keyOf(newSecret())).toHaveLength(32);
		expect(newSecret()).not.toBe(newSecret());
	});

	test.each([24, 64])('of %i bytes is taken', (bytes) => {
		const secret = `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;
		expect(checkedSecret(secret, 'webhook_secret')).toBe(secret);
	});

	test.each([
		['of 23 bytes', `whsec_${Buffer.alloc(23, 7).toString('base64')}`, '23 bytes'],
		['of 65 bytes', `whsec_${Buffer.alloc(65, 7).toString('base64')}`, '65 bytes'],
		['without the prefix', Buffer.alloc(32, 7).toString('base64'), 'another text'],
		['that is no base64', `whsec_${'&'.repeat(40)}`, '0 bytes'],
		['that is empty', '', 'another text'],
	])('%s is refused, and not quoted', (_, secret, got) => {
		expect(() => checkedSecret(secret, 'webhook_secret')).toThrow(
			`Expected \`webhook_secret\` to be \`whsec_\` and the base64 of 24 to 64 random bytes, got ${got}`,
		);
	});

	test('is hinted at by four letters', () => {
		expect(secretHint(published.secret)).toBe('whsec_…LaSw');
	});
});
