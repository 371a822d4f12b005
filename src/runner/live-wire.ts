/** Serialization of live stream events between runner process and server. */

import { fromWire, toWire } from '../core/errors.js';
import type { LiveEvent } from '../core/live/live.js';
import type { LiveEventOnWire } from './protocol.js';

export function toWireEvent(event: LiveEvent): LiveEventOnWire {
	if (!('error' in event)) return { event };
	const { error, ...rest } = event;
	return { event: rest, error: toWire(error) };
}

export function fromWireEvent(wire: LiveEventOnWire): LiveEvent {
	return 'error' in wire ? ({ ...wire.event, error: fromWire(wire.error) } as LiveEvent) : wire.event;
}
