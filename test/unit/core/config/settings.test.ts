import { describe, expect, it } from 'vitest';
import { hostAndPort } from '../../../../src/core/config/addresses.js';
import { runnerEnvironment } from '../../../../src/core/config/environment.js';
import { homeFolder, ownFolders } from '../../../../src/core/config/folders.js';
import {
	environmentSource,
	flagSource,
	resolveConfig,
	slotsOf,
} from '../../../../src/core/config/resolve.js';
import { fileKeyOf, settingNames, variableOf } from '../../../../src/core/config/settings.js';

const file = (values: Record<string, string>) => ({ values, nameOf: fileKeyOf });

describe('the settings', () => {
	it('come from the flag, else the environment, else the file, else the default', () => {
		const sources = (flag?: string, variable?: string, key?: string) => [
			flagSource(flag === undefined ? {} : { port: flag }),
			environmentSource(variable === undefined ? {} : { EARSHOT_PORT: variable }),
			file(key === undefined ? {} : { port: key }),
		];
		expect(resolveConfig(sources('1', '2', '3')).port).toBe(1);
		expect(resolveConfig(sources(undefined, '2', '3')).port).toBe(2);
		expect(resolveConfig(sources(undefined, undefined, '3')).port).toBe(3);
		expect(resolveConfig(sources()).port).toBe(8080);
	});

	it('listen on loopback by default', () => {
		expect(resolveConfig([]).host).toBe('127.0.0.1');
	});

	it.each([
		['10300', '127.0.0.1:10300', { host: '127.0.0.1', port: 10_300 }],
		[':10300', '127.0.0.1:10300', { host: '127.0.0.1', port: 10_300 }],
		['0.0.0.0:0', '0.0.0.0:0', { host: '0.0.0.0', port: 0 }],
		['[::1]:10300', '[::1]:10300', { host: '::1', port: 10_300 }],
		['unix:/run/w.sock', 'unix:/run/w.sock', { host: 'unix:/run/w.sock', port: 0 }],
	])('read %s as where Wyoming is spoken', (given, text, parts) => {
		const { wyoming } = resolveConfig([flagSource({ wyoming: given })]);
		expect(wyoming).toBe(text);
		expect(hostAndPort(wyoming)).toEqual(parts);
	});

	it('have one name in each place', () => {
		expect(variableOf('maxUploadMb')).toBe('EARSHOT_MAX_UPLOAD_MB');
		expect(fileKeyOf('maxUploadMb')).toBe('max_upload_mb');
		expect(new Set(settingNames.map(variableOf)).size).toBe(settingNames.length);
	});

	it('take an empty variable for none', () => {
		expect(resolveConfig([environmentSource({ EARSHOT_PORT: '' })]).port).toBe(8080);
	});

	it.each([
		['--port', flagSource({ port: '70000' }), 'a whole number from 0 to 65535'],
		['EARSHOT_PORT', environmentSource({ EARSHOT_PORT: 'http' }), 'a whole number from 0 to 65535'],
		['num_threads', file({ numThreads: '0' }), 'a whole number from 1 to 1024'],
		['--gpu', flagSource({ gpu: 'perhaps' }), 'true or false'],
		['--keep-alive', flagSource({ keepAliveMs: 'long' }), 'seconds, or a number with s, m or h'],
		['keep_alive', file({ keepAliveMs: '1000h' }), 'seconds, or a number with s, m or h'],
		['--beam-size', flagSource({ beamSize: '9' }), 'a whole number from 1 to 8, or `auto`'],
		['EARSHOT_BEAM_SIZE', environmentSource({ EARSHOT_BEAM_SIZE: '1.5' }), 'a whole number from 1 to 8'],
		['--temperature-increment', flagSource({ temperatureIncrement: '1e-9' }), '0, or a number from 0.1 to 1'],
		['temperature_increment', file({ temperatureIncrement: '1e-320' }), '0, or a number from 0.1 to 1'],
		['temperature_increment', file({ temperatureIncrement: 'NaN' }), '0, or a number from 0.1 to 1'],
		['--temperature-increment', flagSource({ temperatureIncrement: '-0.2' }), '0, or a number from 0.1'],
		['--wyoming', flagSource({ wyoming: 'speech.example' }), 'PORT, HOST:PORT or unix:/path'],
		['--wyoming', flagSource({ wyoming: '0.0.0.0:70000' }), 'PORT, HOST:PORT or unix:/path'],
		['--wyoming', flagSource({ wyoming: '::1:10300' }), 'PORT, HOST:PORT or unix:/path'],
		['--log-level', flagSource({ logLevel: 'loud' }), 'one of silent'],
	])('refuse a bad %s by its name', (name, source, expected) => {
		expect(() => resolveConfig([source])).toThrow(`Expected \`${name}\` to be ${expected}`);
	});

	it.each(['0', '0.1', '0.2', '1'])('take %s for a step of the temperature', (text) => {
		expect(resolveConfig([flagSource({ temperatureIncrement: text })]).temperatureIncrement).toBe(
			Number(text),
		);
	});

	it.each([
		['--api-keys', flagSource({ apiKeys: '' })],
		['--api-keys', flagSource({ apiKeys: ' , ' })],
		['EARSHOT_API_KEYS', environmentSource({ EARSHOT_API_KEYS: '' })],
		['EARSHOT_API_KEYS', environmentSource({ EARSHOT_API_KEYS: '  ' })],
		['api_keys', file({ apiKeys: '' })],
	])('refuse %s without a key in it, which would open the server', (name, source) => {
		expect(() => resolveConfig([source])).toThrow(`Expected \`${name}\` to be one or more keys`);
	});

	it.each([
		['a letter outside ASCII', 'good,schlüssel'],
		['a line end', 'one\ntwo'],
		['more letters than headers hold', 'x'.repeat(5000)],
	])('refuse a key with %s, which no client could send, and do not show it', (_, apiKeys) => {
		const message = 'to be keys of at most 4096 ASCII characters, separated by commas, got a text of';
		expect(() => resolveConfig([flagSource({ apiKeys })])).toThrow(message);
		expect(() => resolveConfig([flagSource({ apiKeys })])).not.toThrow(apiKeys.slice(0, 4));
	});

	it('refuse a host without a name, which would open the server to every address', () => {
		for (const host of ['', ' '])
			expect(() => resolveConfig([flagSource({ host })])).toThrow(
				'Expected `--host` to be an address, a host name, or `unix:` and a path, got',
			);
	});

	it('split lists at commas', () => {
		expect(resolveConfig([flagSource({ apiKeys: 'a, b,' })]).apiKeys).toEqual(['a', 'b']);
	});

	it.each([
		['300', 300_000],
		['90s', 90_000],
		['10m', 600_000],
		['1.5h', 5_400_000],
		['250ms', 250],
		['0', 0],
		['-1', Infinity],
		['-1s', Infinity],
		['never', Infinity],
	])('keep a model that is to stay %s for %s ms', (text, ms) => {
		expect(resolveConfig([flagSource({ keepAliveMs: text })]).keepAliveMs).toBe(ms);
	});

	it('make one slot per thread by default', () => {
		expect(slotsOf({ parallel: 0, numThreads: 6 })).toBe(6);
		expect(slotsOf({ parallel: 2, numThreads: 6 })).toBe(2);
	});

	it('keep the number of heaps that the environment sets', () => {
		expect(runnerEnvironment(2, { MALLOC_ARENA_MAX: '8' }).MALLOC_ARENA_MAX).toBe('8');
	});

	it('never reach a host with the keys in them', () => {
		const env = runnerEnvironment(2, {
			EARSHOT_API_KEYS: 'secret',
			NODE_OPTIONS: '--inspect',
			HOME: '/home',
		});
		expect(env).toEqual({ HOME: '/home', UV_THREADPOOL_SIZE: '16', MALLOC_ARENA_MAX: '2' });
	});
});

describe('the folders', () => {
	it('are those of the XDG specification', () => {
		expect(ownFolders('linux', { XDG_DATA_HOME: '/data', XDG_CACHE_HOME: 'relative' }, '/home/me')).toEqual({
			data: '/data/earshot',
			config: '/home/me/.config/earshot',
			cache: '/home/me/.cache/earshot',
			state: '/home/me/.local/state/earshot',
		});
	});

	it('are below the profile on Windows: what the machine keeps, and what goes with the user', () => {
		const env = { LOCALAPPDATA: 'D:\\Local', APPDATA: 'D:\\Roaming' };
		expect(ownFolders('win32', env, 'C:\\Users\\me')).toEqual({
			data: 'D:\\Local\\earshot',
			config: 'D:\\Roaming\\earshot',
			cache: 'D:\\Local\\earshot\\cache',
			state: 'D:\\Local\\earshot\\state',
		});
	});

	it('are found on Windows where the environment says nothing, as in a service', () => {
		expect(ownFolders('win32', {}, 'C:\\Users\\me')).toEqual({
			data: 'C:\\Users\\me\\AppData\\Local\\earshot',
			config: 'C:\\Users\\me\\AppData\\Roaming\\earshot',
			cache: 'C:\\Users\\me\\AppData\\Local\\earshot\\cache',
			state: 'C:\\Users\\me\\AppData\\Local\\earshot\\state',
		});
	});

	it.each([
		[
			'whom the system does not know',
			() => {
				throw new Error('ENOENT: no such file or directory, uv_os_homedir');
			},
		],
		['with an empty HOME', () => ''],
	])('of a user %s are in a folder that no other user writes to', (_, find) => {
		expect(homeFolder(find)).toBe('/nonexistent');
	});

	it('may be chosen on Windows too', () => {
		expect(ownFolders('win32', { XDG_DATA_HOME: 'E:\\data' }, 'C:\\Users\\me').data).toBe(
			'E:\\data\\earshot',
		);
	});
});
