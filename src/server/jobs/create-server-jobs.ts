/** Opens the jobs of a server according to its settings. */

import path from 'node:path';
import { openFolderJobs } from '../../jobs/folder/folder-jobs.js';
import type { JobLimits } from '../../jobs/new-job.js';
import { defaultJobRetention, type JobRetention } from '../../jobs/outcome.js';
import { ServerJobs, type ServerJobsOptions } from './server-jobs.js';

/** `pool`: this process's models, which run jobs. */
export type SharedJobs = Pick<ServerJobsOptions, 'open' | 'works' | 'onEnded' | 'pool'>;

export interface ServerJobsSettings {
	/** Folder of jobs, created with the first job. Default: a temporary folder that is removed at shutdown. */
	readonly jobsFolder?: string;
	/** Jobs shared with other machines, instead of `jobsFolder`. */
	readonly sharedJobs?: SharedJobs | undefined;
	readonly jobLimits?: Partial<JobLimits>;
	readonly jobRetention?: Partial<JobRetention>;
	/** Unix seconds, with fractions. */
	readonly wallClock?: () => number;
}

const defaultJobLimits: JobLimits = { maxJobs: 10_000, maxJobsPerKey: 1_000, maxBytes: 100 * 2 ** 30 };

export function createServerJobs(
	settings: ServerJobsSettings,
	temporaryFolder: string,
	working: Omit<ServerJobsOptions, 'open' | 'limits' | 'retention' | 'now' | 'temporaryFolder'>,
): ServerJobs {
	const folder = settings.jobsFolder ?? path.join(temporaryFolder, 'jobs');
	return new ServerJobs({
		...working,
		folder,
		temporaryFolder,
		open: () => openFolderJobs(folder, working.clock),
		...(settings.sharedJobs && { ...settings.sharedJobs, folder: undefined }),
		limits: { ...defaultJobLimits, ...settings.jobLimits },
		retention: { ...defaultJobRetention, ...settings.jobRetention },
		now: settings.wallClock ?? (() => Date.now() / 1000),
	});
}
