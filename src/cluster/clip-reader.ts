/** Reads the finished clips of a job in the order of the recording, whichever workers transcribe them. */

import type { ClipEvent } from '../core/speech/events.js';
import { unitsOfText } from './core/job-progress.js';
import type { UnitRecord } from './core/unit-record.js';
import { objectsIn } from './records/objects.js';
import type { Records } from './records/records.js';
import { clipsOf } from './unit-keys.js';

export class ClipReader {
	readonly #records: Pick<Records, 'list'>;
	/** Position, among the units that make the text, of the unit being read, and how many of its clips have been
	 * read. */
	#unit = 0;
	#clips = 0;
	/** Clips read so far, over all units. */
	#count = 0;

	constructor(records: Pick<Records, 'list'>) {
		this.#records = records;
	}

	/** The clips that have finished since the last call, up to the first unfinished one. `records`: of all units, in
	 * order. */
	async next(records: readonly UnitRecord[]): Promise<ClipEvent[]> {
		const units = unitsOfText(records);
		const found: ClipEvent[] = [];
		for (let unit = units[this.#unit]; unit; unit = units[this.#unit]) {
			const clips = objectsIn<ClipEvent>(await this.#records.list(clipsOf(unit.unit), this.#clips));
			this.#clips += clips.length;
			for (const clip of clips) found.push({ ...clip, clip: this.#count++ });
			// Clips of later units must wait for this unit to finish.
			if (unit.stage !== 'done' || this.#clips < unit.clips || units.length === 1) break;
			this.#unit++;
			this.#clips = 0;
		}
		return found;
	}
}
