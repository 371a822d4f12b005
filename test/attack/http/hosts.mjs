// A page in a browser that has its own name point to this machine, or posts to it across origins.
import { exchange, isRefusal, request, seen } from '../lib/http.mjs';
import { startServer } from '../lib/server.mjs';

const post = (port, path, headers) =>
	exchange(port, request(`POST ${path} HTTP/1.1`, ['Connection: close', 'Content-Length: 0', ...headers]));
const get = (port, path, headers) =>
	exchange(port, request(`GET ${path} HTTP/1.1`, ['Connection: close', ...headers]));

export async function attack({ server, check }) {
	const evil = await get(server.port, '/v1/models', ['Host: evil.example']);
	check('a page whose name was pointed here is refused', isRefusal(evil, 403), seen(evil));
	const inTarget = await exchange(
		server.port,
		request('GET http://localhost/v1/models HTTP/1.1', ['Host: evil.example', 'Connection: close']),
	);
	check('… also where the target names this machine', isRefusal(inTarget, 403, 400), seen(inTarget));
	const cross = await post(server.port, '/v1/models/zipformer_ctc/unload', [
		'Host: localhost',
		'Origin: https://evil.example',
	]);
	check('a page of another origin may change nothing', isRefusal(cross, 403), seen(cross));
	const opaque = await post(server.port, '/v1/models/zipformer_ctc/unload', [
		'Host: localhost',
		'Origin: null',
	]);
	check('nor a page without an origin', isRefusal(opaque, 403), seen(opaque));

	const open = await startServer({ flags: ['--host', '0.0.0.0'] });
	try {
		const rebound = await get(open.port, '/v1/models', ['Host: evil.example']);
		check(
			'a server on all addresses refuses names that are not its own',
			isRefusal(rebound, 403),
			seen(rebound),
		);
		const address = await get(open.port, '/v1/models', [`Host: 127.0.0.1:${open.port}`]);
		check('… and answers to an address', address.status === 200, seen(address));
		// As a proxy on the same machine hands on what strangers ask.
		const changed = await post(open.port, '/v1/models/zipformer_ctc/unload', ['Host: 127.0.0.1']);
		check(
			'a request that a proxy hands on may change nothing without proof',
			isRefusal(changed, 401, 403),
			seen(changed),
		);
	} finally {
		await open.stop();
	}
}
