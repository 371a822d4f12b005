// A host process that speaks the protocol and does what the recording's path tells it:
//   /ok/N        N clips, each finished at once
//   /crash/N     N clips, dies while running the last, every time
//   /once/FILE   dies while running its only clip, unless FILE exists, which it makes
//   /hold        runs its clip until it is cancelled
import { existsSync, writeFileSync } from 'node:fs';

const send = (message) => process.send(message);
const facts = {
	id: 'fake',
	engine: 'fake',
	type: 'whisper_cpp',
	device: 'none',
	capabilities: { languages: null },
};

process.on('message', (message) => {
	if (message.type === 'load') {
		const { fail, die } = message.entry.options;
		if (die) {
			process.stderr.write('the model is rotten\n', () => process.exit(9));
			return;
		}
		if (fail) send({ type: 'load-failed', error: { code: 'model_load_failed', message: 'no such model' } });
		else send({ type: 'ready', facts });
	} else if (message.type === 'transcribe') {
		transcribe(message);
	} else if (message.type === 'cancel') {
		send({ type: 'failed', request: message.request, error: { code: 'cancelled', message: 'cancelled' } });
	} else if (message.type === 'close') {
		process.disconnect();
	}
});

function transcribe({ request, recording, firstClip }) {
	const [, what, ...rest] = recording.path.split('/');
	const argument = `/${rest.join('/')}`;
	const clips = what === 'ok' || what === 'crash' ? Number(rest[0]) : 1;
	send({ type: 'running', request, clip: -1 });
	send({ type: 'event', request, event: { type: 'started', duration: clips, clips } });
	for (let clip = firstClip; clip < clips; clip++) {
		send({ type: 'running', request, clip });
		const last = clip === clips - 1;
		if (what === 'hold') return;
		if (what === 'crash' && last) return die();
		if (what === 'once' && !existsSync(argument)) {
			writeFileSync(argument, '');
			return die();
		}
		const segment = {
			start: clip,
			end: clip + 1,
			text: ` ${process.pid}`,
			tokens: [],
			seek: clip * 100,
			temperature: 0,
		};
		send({
			type: 'event',
			request,
			event: { type: 'clip', clip, segments: [segment], language: null, processed: clip + 1 },
		});
	}
	send({ type: 'finished', request });
}

function die() {
	// The messages before must be out: a real crash comes long after them.
	process.stderr.write('assertion failed: it hurts\n', () =>
		setImmediate(() => process.kill(process.pid, 'SIGKILL')),
	);
}
