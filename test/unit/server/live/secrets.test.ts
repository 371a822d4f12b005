import { expect, it } from 'vitest';
import { defaultConfig } from '../../../../src/server/live/protocol/read-session.js';
import { ClientSecrets } from '../../../../src/server/live/secrets.js';
import { FakeClock } from '../../../helpers/fakes.js';

it('client secrets are ten thousand at most, until some have expired', () => {
	const clock = new FakeClock();
	const secrets = new ClientSecrets(clock);
	const first = secrets.make(defaultConfig, 60);
	for (let count = 1; count < 10_000; count++) secrets.make(defaultConfig, 600);
	expect(() => secrets.make(defaultConfig, 60)).toThrow(
		'There are 10000 client secrets that have not expired',
	);
	expect(secrets.find(['wrong', first.value])).toMatchObject({ value: first.value });
	clock.advance(60_000);
	expect(secrets.find([first.value])).toBeUndefined();
	secrets.make(defaultConfig, 60);
});

it('client secrets with long texts are fewer, until some have expired', () => {
	const clock = new FakeClock();
	const secrets = new ClientSecrets(clock);
	const long = { ...defaultConfig, transcription: { prompt: 'x'.repeat(60_000) } };
	const made = () => {
		for (let count = 0; ; count++) {
			try {
				secrets.make(long, 60);
			} catch (thrown) {
				expect(thrown).toMatchObject({ code: 'overloaded', retryAfterSeconds: 10 });
				return count;
			}
		}
	};
	const most = made();
	expect(most).toBeLessThan(300);
	clock.advance(60_000);
	expect(made()).toBe(most);
});
