/** Opens the jobs of a server according to its settings. */

import path from 'node:path';
import { openFolderJobs } from '../../jobs/folder/folder-jobs.js';
import type { JobLimits } from '../../jobs/service/new-job.js';
import { defaultJobRetention, type JobRetention } from '../../jobs/service/outcome.js';
import { JobDesk, type JobDeskOptions } from './desk.js';

/** `pool`: this process's models, which run jobs. */
export type SharedJobs = Pick<JobDeskOptions, 'open' | 'works' | 'onEnded' | 'pool'>;

export interface JobDeskSettings {
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

export function jobDesk(
	settings: JobDeskSettings,
	temporaryFolder: string,
	working: Omit<JobDeskOptions, 'open' | 'limits' | 'retention' | 'now' | 'temporaryFolder'>,
): JobDesk {
	const folder = settings.jobsFolder ?? path.join(temporaryFolder, 'jobs');
	return new JobDesk({
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
