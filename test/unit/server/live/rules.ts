/** What a client may rely on, checked on all events that a session has sent. */

import type { SentEvent } from '../../../../src/server/live/session/outbox.js';

interface Seen {
	started: boolean;
	stopped: boolean;
	committed: boolean;
	added: boolean;
	isItemDone: boolean;
	ended: boolean;
	/** By a clear. */
	dropped: boolean;
	text: string;
}

/** The first rule that is broken, in words; undefined: none. `asked`: ids of the client's events; `commits`: how many of
 * them were commits. */
export function brokenRule(
	events: readonly SentEvent[],
	{
		isOver,
		asked,
		commits,
	}: { readonly isOver: boolean; readonly asked: ReadonlySet<string>; readonly commits: number },
): string | undefined {
	const items = new Map<string, Seen>();
	const order: string[] = [];
	const ids = new Set<string>();
	const refused = new Set<string>();
	let ends = 0;
	let lastEndMs = 0;
	const seen = (id: string): Seen => {
		const known = items.get(id);
		if (known) return known;
		const item = {
			started: false,
			stopped: false,
			committed: false,
			added: false,
			isItemDone: false,
			ended: false,
			dropped: false,
			text: '',
		};
		items.set(id, item);
		return item;
	};
	if (events[0]?.type !== 'session.created') return 'the first event is session.created';
	for (const [at, event] of events.entries()) {
		const where = `event ${at} ${JSON.stringify(event).slice(0, 200)}`;
		if (ids.has(event.event_id)) return `ids of events are unique: ${where}`;
		ids.add(event.event_id);
		const rule = (holds: boolean, what: string) => (holds ? undefined : `${what}: ${where}`);
		let broken =
			'item_id' in event ? rule(!items.get(event.item_id)?.dropped, 'what was cleared is gone') : undefined;
		if (broken !== undefined) return broken;
		switch (event.type) {
			case 'input_audio_buffer.speech_started': {
				const item = seen(event.item_id);
				broken =
					rule(
						!item.started && !item.committed && item.text === '',
						'speech starts once, before its text, and before its item is committed',
					) ?? rule(event.audio_start_ms >= lastEndMs, 'speech starts after the end of the speech before');
				item.started = true;
				break;
			}
			case 'input_audio_buffer.speech_stopped': {
				const item = seen(event.item_id);
				broken = rule(
					item.started && !item.stopped && !item.committed,
					'speech stops once, after it has started',
				);
				item.stopped = true;
				lastEndMs = event.audio_end_ms;
				break;
			}
			case 'input_audio_buffer.committed': {
				const item = seen(event.item_id);
				broken =
					rule(!item.committed, 'an item is committed once') ??
					rule(event.previous_item_id === (order.at(-1) ?? null), 'items form one chain') ??
					rule(events[at + 1]?.type === 'conversation.item.added', 'the item is added right after') ??
					rule(events[at + 2]?.type === 'conversation.item.done', 'and done right after that');
				item.committed = true;
				order.push(event.item_id);
				break;
			}
			case 'conversation.item.added':
			case 'conversation.item.done': {
				const item = seen(event.item.id);
				const isAdded = event.type === 'conversation.item.added';
				broken =
					rule(item.committed, 'an item is committed first') ??
					rule(isAdded ? !item.added : item.added && !item.isItemDone, 'an item is added, then done, once') ??
					rule(event.previous_item_id === (order.at(-2) ?? null), 'items form one chain');
				if (isAdded) item.added = true;
				else item.isItemDone = true;
				break;
			}
			case 'conversation.item.input_audio_transcription.delta': {
				const item = seen(event.item_id);
				broken =
					rule(!item.ended, 'no text after the end of an item') ??
					rule(event.delta !== '', 'a delta has text');
				item.text += event.delta;
				break;
			}
			case 'conversation.item.input_audio_transcription.completed':
			case 'conversation.item.input_audio_transcription.failed': {
				const item = seen(event.item_id);
				broken =
					rule(item.committed && !item.ended, 'an item ends once, after it is committed') ??
					rule(order[ends] === event.item_id, 'items end in the order in which they were committed') ??
					rule(
						!('transcript' in event) || event.transcript === item.text,
						`the deltas joined (${item.text}) are the transcript`,
					);
				item.ended = true;
				ends++;
				break;
			}
			case 'error': {
				const { message, code, event_id } = event.error;
				broken =
					rule(message !== '' && code !== '', 'an error says what it is') ??
					rule(event_id === null || asked.has(event_id), 'an error names an event of the client') ??
					rule(event_id === null || !refused.has(event_id), 'an event is refused once');
				if (event_id !== null) refused.add(event_id);
				break;
			}
			case 'input_audio_buffer.cleared':
				for (const item of items.values()) if (!item.committed) item.dropped = true;
				break;
			case 'session.created':
			case 'session.updated':
			case 'transcription_session.updated':
			case 'conversation.item.retrieved':
			case 'conversation.item.deleted':
				break;
		}
		if (broken !== undefined) return broken;
	}
	const unstopped = [...items.values()].filter((item) => item.committed && item.started && !item.stopped);
	if (unstopped.length > commits) return 'speech stops before its item is committed, except by the client';
	if (!isOver) return undefined;
	if (ends < order.length) return `every committed item ends: ${order[ends]} did not`;
	const lost = [...items].find(([, item]) => item.started && !item.committed && !item.dropped);
	return lost && `speech that has started becomes an item, or is cleared: ${lost[0]} did not`;
}
