/** Joins the events of a recording into its transcript. */

import type { PipelineEvent } from './events.js';
import type { Timing } from './timing.js';
import { joinText, type Segment, type Task, type TranscriptEvent, type Warning } from './transcript.js';
import { removedRepetition, truncatedAudio } from './warnings.js';

/** Numbers the segments and adds the finished transcript. */
export async function* finished(
	events: AsyncIterable<PipelineEvent>,
	about: { readonly model: string; readonly task: Task; readonly language: string | null },
): AsyncGenerator<TranscriptEvent> {
	const segments: Segment[] = [];
	const warnings: Warning[] = [];
	const votes = new Map<string, number>();
	let duration = 0;
	let timing: Timing | undefined;
	for await (const event of events) {
		if (event.type === 'started') {
			yield event;
			continue;
		}
		if (event.type === 'ended') {
			({ duration, timing } = event);
			if (event.truncated) warnings.push(truncatedAudio(duration));
			continue;
		}
		const numbered = event.segments.map((segment, index) => ({ id: segments.length + index, ...segment }));
		segments.push(...numbered);
		warnings.push(...(event.removedRepetitions ?? []).map(removedRepetition));
		if (event.language !== null && numbered.length > 0) {
			const seconds = numbered.reduce((sum, { start, end }) => sum + end - start, 0);
			votes.set(event.language, (votes.get(event.language) ?? 0) + seconds);
		}
		yield { type: 'segments', segments: numbered, language: event.language, processed: event.processed };
	}
	// The language spoken longest; a recording may contain several.
	const [detected] = [...votes].sort(([, a], [, b]) => b - a)[0] ?? [null];
	yield {
		type: 'done',
		...(timing && { timing }),
		transcript: {
			task: about.task,
			model: about.model,
			language: about.language ?? detected,
			duration,
			text: joinText(segments),
			segments,
			...(warnings.length > 0 && { warnings }),
		},
	};
}
