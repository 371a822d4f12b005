/** The message loop of a runner process. */

import { asEarshotError, EarshotError, toWire } from '../../core/errors.js';
import { tuneGc } from '../../core/gc.js';
import { stopSignals } from '../../core/signals.js';
import type { PipelineHooks } from '../../pipeline/parts.js';
import { runPipeline } from '../../pipeline/pipeline.js';
import { toWireEvent } from '../live-wire.js';
import type { FromRunner, ToRunner } from '../protocol.js';
import { LiveStreamsOfModel } from './live.js';
import type { LoadModel, OpenedModel } from './load-model.js';
import { OpenSteps } from './open-steps.js';
import { Reporter } from './reporter.js';

let model: OpenedModel | undefined;
let reporter: Reporter | undefined;
const requests = new Map<number, AbortController>();
const steps = new OpenSteps();
const live = new LiveStreamsOfModel((stream, event) => {
	send({ type: 'live', stream, rssBytes: rssBytes(), ...toWireEvent(event) });
	if (event.type === 'completed') trim();
});

/** Number of the last turn of a live stream: turns count down from -1, so that they differ from requests. */
let turns = 0;

/** Tracks the clips of a turn as running steps, but not its blocks, which wait for speech. */
function hooksOfTurn(): PipelineHooks {
	const turn = --turns;
	return {
		onRunning: (step, seconds) => {
			if (step >= 0) steps.begin(turn, step, seconds);
		},
		onEnded: (step, hasResult) => steps.end(turn, step, hasResult),
	};
}

/** Messages of one event-loop turn are sent together: the cost is per message, not per byte. */
let outbox: FromRunner[] = [];

function send(message: FromRunner): void {
	outbox.push(message);
	// The server must know what was running if it crashes this process.
	if (message.type === 'running') flush();
	else if (outbox.length === 1) setImmediate(flush);
}

function flush(): void {
	const messages = outbox;
	outbox = [];
	// A closed channel means that the server has ended; the `disconnect` event then ends this process.
	if (messages.length > 0 && process.connected) process.send?.(messages);
}

/** Reading the resident memory takes longer than a short clip, so it is cached for this time. */
const rssEveryMs = 100;
let rss = { bytes: 0, readMs: Number.NEGATIVE_INFINITY };

function rssBytes(): number {
	const now = performance.now();
	if (now - rss.readMs >= rssEveryMs) rss = { bytes: process.memoryUsage.rss(), readMs: now };
	return rss.bytes;
}

/**
 * Interval of the memory trimming. Samples lie outside the JavaScript heap, so they do not trigger garbage collection,
 * and the C library keeps free memory between allocated blocks. Without trimming, a runner under load grows for
 * hundreds of recordings. Trimming takes milliseconds.
 */
const trimEveryMs = 5000;
let trimmedMs = performance.now();

function trim(): void {
	const now = performance.now();
	if (now - trimmedMs < trimEveryMs) return;
	trimmedMs = now;
	globalThis.gc?.();
	model?.trim();
}

async function load(
	loadModel: LoadModel,
	{ entry, settings }: Extract<ToRunner, { type: 'load' }>,
): Promise<void> {
	try {
		model = await loadModel(entry, settings, (level, line) => send({ type: 'log', level, line }));
		reporter = new Reporter(model.parts.scheduler, (report) => send({ type: 'report', report }));
		send({ type: 'ready', info: model.parts.info, rssBytes: rssBytes() });
	} catch (thrown) {
		send({ type: 'load-failed', error: toWire(asEarshotError(thrown)) });
	}
}

async function transcribe(message: Extract<ToRunner, { type: 'transcribe' }>): Promise<void> {
	const { request, recording, options, firstClip } = message;
	const control = new AbortController();
	requests.set(request, control);
	try {
		if (!model)
			throw new EarshotError('internal', 'a transcription was requested before the model was loaded');
		const hooks: PipelineHooks = {
			firstClip,
			background: options.background,
			onRunning: (step, seconds) => {
				steps.begin(request, step, seconds);
				send({ type: 'running', request, step });
			},
			onEnded: (step, hasResult) => steps.end(request, step, hasResult),
			onStepFinished: (step) => send({ type: 'step-finished', request, step }),
		};
		const events =
			model.diarize?.(recording, options, control.signal, hooks) ??
			runPipeline(model.parts, recording, options, control.signal, hooks);
		for await (const event of events) send({ type: 'event', request, event, rssBytes: rssBytes() });
		send({ type: 'finished', request, rssBytes: rssBytes() });
	} catch (thrown) {
		send({ type: 'failed', request, error: toWire(asEarshotError(thrown)) });
	} finally {
		requests.delete(request);
		trim();
	}
}

async function close(): Promise<void> {
	for (const control of requests.values()) control.abort();
	live.closeAll();
	try {
		await model?.close();
		reporter?.flush();
	} finally {
		flush();
		process.disconnect?.();
	}
}

/** Serves the model that `loadModel` loads for the first message. Called once per process. */
export function runChild(loadModel: LoadModel): void {
	tuneGc();
	process.on('message', (message: ToRunner) => {
		switch (message.type) {
			case 'load':
				void load(loadModel, message);
				break;
			case 'transcribe':
				void transcribe(message);
				break;
			case 'cancel':
				requests.get(message.request)?.abort();
				break;
			case 'live-open':
			case 'live':
			case 'live-close':
				live.take(message, model && { ...model.parts, hooksOfTurn });
				break;
			case 'ping':
				send({ type: 'pong', work: steps.report });
				break;
			case 'close':
				void close();
				break;
		}
	});

	// The server has ended.
	process.on('disconnect', () => process.exit(0));

	// Ctrl-C in a terminal signals the whole process group, but the server decides when runners end.
	for (const signal of stopSignals()) process.on(signal, () => {});
}
