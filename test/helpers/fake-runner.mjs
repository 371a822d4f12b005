// A runner process that follows the protocol and behaves as the recording's path says:
//   /ok/N        N clips, each finished at once
//   /crash/N     N clips, dies while running the last, every time
//   /once/FILE   creates FILE and dies while running its only clip, unless FILE exists
//   /rotten/N    N clips, then dies while decoding the second block, every time
//   /hold        runs its clip until it is cancelled
//   /stuck       as /hold, and its clip stays in work when it is cancelled; prints `stuck`, and `asked` at each
// heartbeat
//   /spin/N/FILE never comes back from running its only clip, N times; FILE has a byte for each
//   /grow/N/FILE N clips; has grown by 4 GiB after the first, and begins the second when FILE exists
// Live streams: a commit gets the process's id as its text; audio of one byte does what the byte says:
//   1 dies, 2 begins a turn and dies, 3 has grown by 4 GiB, 4 the stream is lost
// Options of the model. While loading: `fail`, `die`, `dieIf` (if that file exists), `dieOnce` (creates that file and
// dies, unless it exists), `mute` (never answers). Once loaded: `mib` of memory. On `close`: `deaf` (does not end),
// `reports` (sends a report). `warns`: what the engine logs once it is loaded.
import { appendFileSync, existsSync, statSync, writeFileSync } from 'node:fs';

let rssBytes = 1e6;
let deaf = false;
let reports = false;
/** As a thread in an endless loop keeps it. */
let stuck;
const send = (message) => process.send([{ ...message, rssBytes }]);
const info = {
	id: 'fake',
	engine: 'fake',
	type: 'whisper_cpp',
	device: 'none',
	capabilities: { languages: null },
};

process.on('message', (message) => {
	if (message.type === 'load') {
		const { fail, die, dieIf, dieOnce, mute, mib, warns } = message.entry.options;
		if (mute) return;
		({ deaf, reports } = message.entry.options);
		const dies = die || (dieIf && existsSync(dieIf)) || (dieOnce && !existsSync(dieOnce));
		if (dieOnce) writeFileSync(dieOnce, '');
		if (mib) rssBytes = mib * 2 ** 20;
		if (dies) {
			process.stderr.write('the model is rotten\n', () => process.exit(9));
			return;
		}
		if (fail) send({ type: 'load-failed', error: { code: 'model_load_failed', message: 'no such model' } });
		else send({ type: 'ready', info });
		if (warns) send({ type: 'log', level: 'warn', line: warns });
	} else if (message.type === 'transcribe') {
		void transcribe(message);
	} else if (message.type === 'live') {
		live(message);
	} else if (message.type === 'cancel') {
		send({ type: 'failed', request: message.request, error: { code: 'cancelled', message: 'cancelled' } });
	} else if (message.type === 'ping') {
		const work = { clips: 100, slowestMsPerSecond: 10, ...(stuck && { oldest: stuck }) };
		send({ type: 'pong', work });
		if (stuck) process.stderr.write('asked\n');
	} else if (message.type === 'close' && !deaf) {
		const state = { slots: 1, busySlots: 0, waitingClips: 0, waitingSeconds: 0 };
		if (reports) send({ type: 'report', report: { state, batches: [] } });
		process.disconnect();
	}
});

async function transcribe({ request, recording, firstClip }) {
	const [, what, ...rest] = recording.path.split('/');
	const argument = `/${rest.join('/')}`;
	const clips = ['ok', 'crash', 'grow', 'rotten'].includes(what) ? Number(rest[0]) : 1;
	send({ type: 'running', request, step: -1 });
	send({ type: 'step-finished', request, step: -1 });
	send({ type: 'event', request, event: { type: 'started', duration: clips } });
	for (let clip = firstClip; clip < clips; clip++) {
		send({ type: 'running', request, step: clip });
		const last = clip === clips - 1;
		if (what === 'stuck') {
			stuck = { number: request, request, step: clip };
			process.stderr.write('stuck\n');
		}
		if (what === 'hold' || what === 'stuck') return;
		if (what === 'spin' && timesIn(`/${rest.slice(1).join('/')}`) < Number(rest[0])) {
			spin(`/${rest.slice(1).join('/')}`);
			return;
		}
		if (what === 'grow' && clip === 1) await there(`/${rest.slice(1).join('/')}`);
		if (what === 'crash' && last) return die();
		if (what === 'once' && !existsSync(argument)) {
			writeFileSync(argument, '');
			return die();
		}
		if (what === 'grow' && clip === 0) rssBytes += 4 * 2 ** 30;
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
	if (what === 'rotten') {
		send({ type: 'running', request, step: -2 });
		return die();
	}
	send({
		type: 'event',
		request,
		event: { type: 'ended', duration: clips, timing: { decode: 0, queue: 0, run: 0 } },
	});
	send({ type: 'finished', request });
}

let turn = 0;

function live({ stream, command }) {
	const emit = (event, more = {}) => send({ type: 'live', stream, event, ...more });
	const [what] = command.type === 'audio' ? command.bytes : [];
	if (what === 3) rssBytes += 4 * 2 ** 30;
	if (command.type === 'audio') emit({ type: 'processed', atMs: 1 });
	if (command.type === 'commit') {
		emit({ type: 'committed', turn, seconds: 1, commit: command.commit });
		const text = String(process.pid);
		emit({ type: 'completed', turn: turn++, text, language: null, seconds: 1, runMs: 1, revised: false });
	}
	if (what === 2) emit({ type: 'started', turn, atMs: 0 });
	if (what === 4) emit({ type: 'lost' }, { error: { code: 'model_load_failed', message: 'no detector' } });
	if (what === 1 || what === 2) die();
}

function timesIn(file) {
	return existsSync(file) ? statSync(file).size : 0;
}

/** As an endless loop in native code would, once all messages have been sent. */
function spin(file) {
	process.send([], () => {
		appendFileSync(file, '.');
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
	});
}

function there(file) {
	return new Promise((resolve) => {
		const look = setInterval(() => {
			if (!existsSync(file)) return;
			clearInterval(look);
			resolve();
		}, 2);
		look.unref();
	});
}

function die() {
	// Earlier messages must be flushed first: a real crash comes long after them.
	process.stderr.write('assertion failed: it hurts\n', () =>
		setImmediate(() => process.kill(process.pid, 'SIGKILL')),
	);
}
