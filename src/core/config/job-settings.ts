/** The settings of jobs. */

import path from 'node:path';
import { ownFolders } from './folders.js';
import type { Setting } from './setting.js';
import { flag, seconds, wholeNumber } from './values.js';

export const jobSettings = {
	jobsDir: {
		scope: 'server',
		flag: 'jobs-dir',
		valueName: 'DIR',
		help: 'folder of jobs, with their recordings and results; made when the first one comes',
		default: path.join(ownFolders().state, 'jobs'),
		defaultText: '~/.local/state/earshot/jobs; on Windows %LOCALAPPDATA%\\earshot\\state\\jobs',
		parse: (text) => path.resolve(text),
	},
	maxJobs: {
		scope: 'server',
		flag: 'max-jobs',
		valueName: 'N',
		help: 'jobs that are kept, finished ones too; above it 429',
		default: 10_000,
		parse: wholeNumber(1, 1_000_000),
	},
	maxJobsPerKey: {
		scope: 'server',
		flag: 'max-jobs-per-key',
		valueName: 'N',
		help: 'unfinished jobs of one API key; above it 429',
		default: 1000,
		parse: wholeNumber(1, 1_000_000),
	},
	maxJobsMb: {
		scope: 'server',
		flag: 'max-jobs-mb',
		valueName: 'MB',
		help: 'recordings of all jobs together, in MiB; above it 507',
		default: 102_400,
		parse: wholeNumber(1, 2 ** 30),
	},
	jobRetention: {
		scope: 'server',
		flag: 'job-retention',
		valueName: 'TIME',
		help: 'how long the result of a job is kept: seconds, or a duration such as 12h or 7d; an hour where that is less, once it was read',
		default: 86_400,
		defaultText: '24h',
		parse: seconds,
	},
	keepAudio: {
		scope: 'server',
		flag: 'keep-audio',
		valueName: 'BOOL',
		help: 'keep the recordings of completed jobs as long as their results',
		default: false,
		defaultText: 'no: deleted when a job is completed',
		parse: flag,
		isSwitch: true,
	},
	dedupeSeconds: {
		scope: 'server',
		flag: 'dedupe-seconds',
		valueName: 'S',
		help: 'time in which the same recording with the same fields and key is the same job, in seconds; 0 = it never is',
		default: 600,
		parse: wholeNumber(0, 86_400),
	},
} as const satisfies Readonly<Record<string, Setting>>;
