import { describe, expect, test } from 'vitest';
import { Destinations, ForbiddenAddress } from '../../../src/webhooks/destination.js';

const notLooked = (): never => {
	throw new Error('looked up');
};
const open = new Destinations([], notLooked);

const at = (...addresses: string[]) => {
	const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
	return new Destinations([], async () => found);
};

describe('a URL is refused as soon as it comes', () => {
	test.each([
		// This machine, in the spellings that URLs have for it.
		'https://127.0.0.1/hook',
		'https://127.1/hook',
		'https://2130706433/',
		'https://0x7f000001/',
		'https://0177.0.0.1/',
		'https://127。0。0。1/',
		'https://①②⑦.0.0.1/',
		'https://0.0.0.0/',
		'https://0/',
		'https://[::1]/',
		'https://[::]/',
		'https://localhost/',
		'https://LOCALHOST./',
		'https://api.localhost/',
		// Private networks.
		'https://10.0.0.8/',
		'https://172.16.0.1/',
		'https://172.31.255.255/',
		'https://192.168.1.1/',
		'https://100.64.0.1/',
		'https://[fd00::1]/',
		'https://[fec0::1]/',
		// Links, and the services that clouds have there.
		'https://169.254.169.254/latest/meta-data/',
		'https://168.63.129.16/',
		'https://100.100.100.200/',
		'https://192.0.0.192/',
		'https://[fe80::1]/',
		'https://[fd00:ec2::254]/',
		// Multicast, reserved, for documentation and benchmarks.
		'https://224.0.0.1/',
		'https://240.0.0.1/',
		'https://255.255.255.255/',
		'https://192.0.2.1/',
		'https://198.18.0.1/',
		'https://[ff02::1]/',
		'https://[2001:db8::1]/',
		// IPv4 inside IPv6.
		'https://[::ffff:127.0.0.1]/',
		'https://[::ffff:a9fe:a9fe]/',
		'https://[::127.0.0.1]/',
		'https://[64:ff9b::7f00:1]/',
		'https://[64:ff9b:1::a00:1]/',
		'https://[2002:7f00:1::]/',
		'https://[2001::1]/',
		// Names of a network.
		'https://router/',
		'https://printer.local/',
		'https://metadata.google.internal/',
		'https://nas.lan/',
		'https://pi.home.arpa/',
	])('%s is not of a public host', (url) => {
		expect(() => open.check(url, 'url')).toThrow(
			/^Expected `url` to be a URL of a public host, or one of a host that `--webhook-allow` names, got/,
		);
	});

	test.each([
		['http://hooks.example.com/', 'an https URL'],
		['ftp://hooks.example.com/', 'an https URL'],
		['file:///etc/passwd', 'an https URL'],
		['gopher://hooks.example.com/', 'an https URL'],
		['hooks.example.com/in', 'an https URL'],
		['', 'an https URL'],
		[`https://hooks.example.com/${'a'.repeat(2048)}`, 'an https URL of at most 2048 characters'],
		['https://hooks.example.com:22/', 'a URL with one of the ports 80, 443, 8080, 8443'],
		['https://hooks.example.com:6379/', 'a URL with one of the ports'],
		['https://hooks.example.com:1/', 'a URL with one of the ports'],
	])('%s: expected %s', (url, what) => {
		expect(() => open.check(url, 'webhook_url')).toThrow(`Expected \`webhook_url\` to be ${what}`);
	});

	test('with a password in it, which is not quoted', () => {
		expect(() => open.check('https://me:hunter2@hooks.example.com/', 'url')).toThrow(
			/^Expected `url` to be a URL without user and password, got `one with them`$/,
		);
	});
});

describe('a URL is taken', () => {
	test.each([
		'https://hooks.example.com/in?token=1',
		'https://hooks.example.com:8443/',
		'https://93.184.215.14/',
		'https://[2606:4700::1111]/',
		'https://xn--bcher-kva.example/',
	])('%s', (url) => {
		expect(open.check(url, 'url').href).toBe(url);
	});
});

describe('what a name stands for is checked at each try', () => {
	const url = new URL('https://rebinding.example.com/');

	test('and a public address is the one to connect to', async () => {
		const found = [{ address: '93.184.215.14', family: 4 }];
		await expect(at('93.184.215.14').resolve(url)).resolves.toEqual(found);
	});

	test.each([
		[['127.0.0.1']],
		[['10.1.2.3']],
		[['169.254.169.254']],
		[['::1']],
		[['::ffff:10.0.0.1']],
		[['64:ff9b::a00:1']],
		[['fe80::1%eth0']],
		[['93.184.215.14', '10.0.0.1']],
		[['not an address']],
		[[]],
	])('%j is forbidden', async (addresses) => {
		await expect(at(...addresses).resolve(url)).rejects.toBeInstanceOf(ForbiddenAddress);
	});

	test('a name that changes its address is looked up once for a try', async () => {
		const answers = ['93.184.215.14', '127.0.0.1'];
		const rebinding = new Destinations([], async () => [{ address: answers.shift() ?? '', family: 4 }]);
		// What comes back is what is connected to; the second answer is never asked for within a try.
		expect(await rebinding.resolve(url)).toEqual([{ address: '93.184.215.14', family: 4 }]);
		expect(answers).toEqual(['127.0.0.1']);
		await expect(rebinding.resolve(url)).rejects.toBeInstanceOf(ForbiddenAddress);
	});

	test('an address needs no lookup', async () => {
		await expect(open.resolve(new URL('https://[2606:4700::1111]/'))).resolves.toEqual([
			{ address: '2606:4700::1111', family: 6 },
		]);
		await expect(open.resolve(new URL('https://10.0.0.1/'))).rejects.toBeInstanceOf(ForbiddenAddress);
	});
});

describe('a host that is allowed by name', () => {
	const allowing = (...allowed: string[]) =>
		new Destinations(allowed, async () => [{ address: '10.0.0.5', family: 4 }]);

	test('may be private, have no https and any port', async () => {
		const url = allowing('n8n').check('http://N8N:5678/webhook', 'url');
		expect(url.href).toBe('http://n8n:5678/webhook');
		await expect(allowing('n8n').resolve(url)).resolves.toEqual([{ address: '10.0.0.5', family: 4 }]);
	});

	test('with a port is allowed on that one alone', () => {
		const places = allowing('127.0.0.1:3000', '[::1]:3000', 'hooks.lan:443');
		for (const url of ['http://127.0.0.1:3000/', 'http://[::1]:3000/', 'https://hooks.lan/'])
			expect(places.check(url, 'url').href).toBe(url);
		for (const url of ['http://127.0.0.1:3001/', 'https://[::1]/', 'https://hooks.lan:8443/'])
			expect(() => places.check(url, 'url')).toThrow('Expected `url` to be');
	});

	test('opens no other', () => {
		for (const url of ['http://sub.n8n/', 'http://n8n.example.com/', 'http://10.0.0.5/'])
			expect(() => allowing('n8n').check(url, 'url')).toThrow('Expected `url` to be');
	});
});
