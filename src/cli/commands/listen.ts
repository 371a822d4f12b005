/** `earshot listen`: live transcription, in this command's own process or through a running server. */

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import { earshot } from '../../core/command-line.js';
import type { SettingTexts } from '../../core/config/settings.js';
import { EarshotError, expected } from '../../core/errors.js';
import { packageRoot } from '../../core/paths.js';
import { stopSignals } from '../../core/signals.js';
import { isLiveRate, liveRates } from '../../core/speech/pcm.js';
import { type ListenEvent, LiveListening } from '../../library/listen.js';
import { listenOptions } from '../../library/listen-options.js';
import { openModel } from '../../library/open-model.js';
import { demoNotice } from '../../models/registry/demo.js';
import { findEntry, loadRegistry, type ModelRegistry } from '../../models/registry/registry.js';
import { keyRefused, type ServerTarget, targetOfUrl, unreachable } from '../client/server-target.js';
import { refuseFile } from '../listen/pcm-input.js';
import { eventLine, TurnLines } from '../listen/print.js';
import { recorded, recordersFor } from '../listen/recorder.js';
import { RemoteListening } from '../listen/remote.js';
import { languageOf } from './transcribe.js';

export interface ListenCommand {
	readonly flags: SettingTexts;
	readonly model: string | undefined;
	readonly language: string | undefined;
	readonly prompt: string | undefined;
	readonly partials: boolean;
	readonly json: boolean;
	/** Hz. */
	readonly sampleRate: number;
	readonly device: string | undefined;
	readonly url: string | undefined;
}

/** A live transcription, by this process or by a server. */
interface ListenSession extends AsyncIterable<ListenEvent> {
	write(pcm: Uint8Array): Promise<void>;
	end(): void;
	close(): void;
}

interface OpenedSession {
	readonly session: ListenSession;
	readonly release: () => Promise<void>;
}

/** The first signal ends the audio, and the text of the last turn is still printed; a second one ends the command. */
export async function listenAndPrint(source: string | undefined, command: ListenCommand): Promise<void> {
	checkCommand(source, command);
	const stop = new AbortController();
	const abandon = new AbortController();
	const interrupt = () => (stop.signal.aborted ? abandon : stop).abort();
	for (const signal of stopSignals()) process.on(signal, interrupt);
	try {
		const { session, release } = await openSession(command);
		abandon.signal.addEventListener('abort', () => session.close());
		try {
			const printing = printEvents(session, command.json);
			const over = printing.finally(() => stop.abort());
			const feeding = feed(session, audioOf(source, command, stop.signal), stop.signal);
			for (const result of await Promise.allSettled([over, feeding]))
				if (result.status === 'rejected') throw result.reason;
		} finally {
			session.close();
			await release();
		}
	} finally {
		for (const signal of stopSignals()) process.removeListener(signal, interrupt);
	}
	if (abandon.signal.aborted) process.exitCode = 130;
}

function checkCommand(source: string | undefined, { sampleRate, device }: ListenCommand): void {
	if (source !== undefined && source !== '-')
		throw new EarshotError(
			'invalid_request',
			`\`listen\` takes \`-\` for standard input, or nothing for the microphone; for a recording: ${earshot(`transcribe ${source}`)}`,
		);
	if (!isLiveRate(sampleRate)) throw expected('--sample-rate', liveRates, sampleRate);
	if (source === '-' && device !== undefined)
		throw new EarshotError(
			'invalid_request',
			'`--device` selects a microphone, and `-` is standard input: leave one of them out',
		);
}

function audioOf(
	source: string | undefined,
	{ sampleRate, device }: ListenCommand,
	signal: AbortSignal,
): AsyncIterable<Uint8Array> {
	if (source === '-') return process.stdin;
	return recorded(recordersFor(process.platform, sampleRate, device), signal);
}

/** Sends audio until it ends or `signal` aborts. */
async function feed(
	session: ListenSession,
	audio: AsyncIterable<Uint8Array>,
	signal: AbortSignal,
): Promise<void> {
	const pieces = audio[Symbol.asyncIterator]();
	let isFirst = true;
	const stopped = new Promise<undefined>((resolve) => {
		if (signal.aborted) resolve(undefined);
		signal.addEventListener('abort', () => resolve(undefined), { once: true });
	});
	try {
		while (!signal.aborted) {
			const next = await Promise.race([pieces.next(), stopped]);
			if (next === undefined || next.done === true) break;
			if (isFirst && audio === process.stdin) refuseFile(next.value);
			isFirst = false;
			await Promise.race([session.write(next.value), stopped]);
		}
		session.end();
	} catch (thrown) {
		session.close();
		throw thrown;
	} finally {
		// Not awaited: a read of standard input may never resolve.
		if (audio === process.stdin) process.stdin.destroy();
	}
}

async function printEvents(events: AsyncIterable<ListenEvent>, asJson: boolean): Promise<void> {
	const lines = new TurnLines();
	for await (const event of events) {
		process.stdout.write(asJson ? eventLine(event) : lines.take(event));
		if (event.type !== 'failed') continue;
		process.stderr.write(`earshot: a turn has no text: ${event.error.message}\n`);
		process.exitCode = 1;
	}
}

async function openSession(command: ListenCommand): Promise<OpenedSession> {
	const registry = loadRegistry(command.flags, packageRoot);
	return command.url === undefined
		? await openLocal(registry, command)
		: await openRemote(registry, command.url, command);
}

async function openLocal(registry: ModelRegistry, command: ListenCommand): Promise<OpenedSession> {
	const idOrAlias = command.model ?? registry.defaultModel;
	if (findEntry(registry, idOrAlias).demo && command.model === undefined)
		process.stderr.write(`${demoNotice()}\n`);
	// In a runner, so that a crash of an engine fails one turn instead of the command.
	const { transcriber, close } = await openModel(registry, idOrAlias, true);
	try {
		const { sampleRate, partials, prompt } = command;
		const language = languageOf(command.language, transcriber.info);
		const options = listenOptions(
			{
				sampleRate,
				partials,
				...(language === undefined ? {} : { language }),
				...(prompt === undefined ? {} : { prompt }),
			},
			transcriber.info,
		);
		return { session: new LiveListening(transcriber, options, () => {}), release: close };
	} catch (thrown) {
		await close();
		throw thrown;
	}
}

async function openRemote(
	{ config }: ModelRegistry,
	url: string,
	command: ListenCommand,
): Promise<OpenedSession> {
	const target = await targetOfUrl(url, config);
	const { socketPath, key, tls } = target;
	const model = command.model === undefined ? '' : `?model=${encodeURIComponent(command.model)}`;
	const at = `${target.url.replace(/^http/, 'ws')}/v1/realtime${model}`;
	const socket = new WebSocket(at, [], {
		...tls,
		...(key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }),
		// The addresses that `ws` has for Unix sockets are without TLS.
		...(socketPath === undefined ? {} : { createConnection: () => connectUnix(socketPath, target) }),
	});
	try {
		return { session: await RemoteListening.open(socket, command), release: async () => {} };
	} catch (thrown) {
		socket.terminate();
		if (thrown instanceof EarshotError) throw thrown.code === 'invalid_api_key' ? keyRefused(target) : thrown;
		throw unreachable(target, thrown, `To start one: ${earshot('serve')}`);
	}
}

function connectUnix(path: string, { url, tls }: ServerTarget): Socket {
	return url.startsWith('https:') ? connectTls({ ...tls, path, servername: 'localhost' }) : connect(path);
}
