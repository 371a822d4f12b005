/** Loaded into a process before anything else: refuses every outgoing connection and logs each attempt. */

import dgram from 'node:dgram';
import dns from 'node:dns';
import { appendFileSync } from 'node:fs';
import net from 'node:net';

function refuse(what) {
	appendFileSync(process.env.EARSHOT_TEST_ATTEMPTS, `${what}\n`);
	throw Object.assign(new Error(`refused: ${what}`), { code: 'ECONNREFUSED' });
}

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
	const [first] = Array.isArray(args[0]) ? args[0] : args;
	// Pipes and IPC channels between our own processes do not count as connections.
	if (typeof first === 'object' && first !== null && typeof first.path === 'string')
		return connect.apply(this, args);
	return refuse(`connect ${JSON.stringify(first)}`);
};
dgram.Socket.prototype.send = () => refuse('send');
for (const name of ['lookup', 'resolve', 'resolve4', 'resolve6'])
	dns[name] = dns.promises[name] = () => refuse(`dns.${name}`);
