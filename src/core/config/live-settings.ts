/** The settings of live transcription; rows of the table in settings.ts. */

import { listenAddress } from './addresses.js';
import { machineThreads } from './machine.js';
import type { Setting } from './setting.js';
import { flag, wholeNumber } from './values.js';

export const liveSettings = {
	maxLiveSessions: {
		scope: 'server',
		flag: 'max-live-sessions',
		valueName: 'N',
		help: 'live sessions at a time; above it 429; 0 = none',
		default: 4 * machineThreads,
		defaultText: 'four for each core',
		parse: wholeNumber(0, 100_000),
	},
	maxLiveMinutes: {
		scope: 'server',
		flag: 'max-live-minutes',
		valueName: 'MIN',
		help: 'how long a live session may last, in minutes; 0 = no limit',
		default: 60,
		parse: wholeNumber(0, 525_600),
	},
	livePartials: {
		scope: 'server',
		flag: 'live-partials',
		valueName: 'BOOL',
		help: 'partial text during speech also from models that transcribe whole turns, while a slot is free',
		default: false,
		defaultText: 'no, unless a session requests it',
		parse: flag,
		isSwitch: true,
	},
	wyoming: {
		scope: 'server',
		flag: 'wyoming',
		valueName: 'ADDRESS',
		help: "[HOST:]PORT for Home Assistant's Wyoming protocol, which has no keys: HOST is 127.0.0.1 unless given",
		default: '',
		defaultText: 'none: no Wyoming',
		parse: (text) => listenAddress(text),
	},
} as const satisfies Readonly<Record<string, Setting>>;
