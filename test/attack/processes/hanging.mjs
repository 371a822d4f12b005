// An engine's process that is stopped: noticed, reported, replaced, and its request answered.
import process from 'node:process';
import { exchange, isRefusal, isTranscribed, post, request, seen } from '../lib/http.mjs';
import { startServer, until } from '../lib/server.mjs';

const model = 'zipformer_ctc';

export async function attack({ check }) {
	const server = await startServer({ flags: ['--hang-timeout-seconds', '2'] });
	const unload = () =>
		exchange(
			server.port,
			request(`POST /v1/models/${model}/unload HTTP/1.1`, [
				'Host: 127.0.0.1',
				'Connection: close',
				'Content-Length: 0',
				`Authorization: Bearer ${server.token()}`,
			]),
			{ timeoutMs: 20_000 },
		);
	const stopped = async () => {
		await post(server.port);
		const { pid } = (await server.loaded())[model];
		process.kill(pid, 'SIGSTOP');
		return pid;
	};
	try {
		const pid = await stopped();
		const answered = post(server.port, undefined, { timeoutMs: 20_000 });
		const isShown = await until(async () => (await server.loaded())[model]?.state === 'unresponsive');
		const answer = await answered;
		check('a request on a stopped engine is answered by the next one', isTranscribed(answer), seen(answer));
		check('ps shows that it does not respond', isShown);
		check('the stopped process is gone', (await server.loaded())[model]?.pid !== pid);

		await stopped();
		const limited = await post(server.port, undefined, { headers: ['x-earshot-timeout-ms: 500'] });
		check('a request with a limit ends in its time', isRefusal(limited, 504), seen(limited));
		const gone = await unload();
		check(
			'a stopped engine can be unloaded',
			gone.status === 200 && !(model in (await server.loaded())),
			seen(gone),
		);
		const after = await post(server.port, undefined, { timeoutMs: 20_000 });
		check('and the next request loads it again', isTranscribed(after), seen(after));
	} finally {
		await server.stop();
	}
}
