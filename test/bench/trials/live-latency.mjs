/** One live session in real time: how long its text takes, of a streaming model and of one that hears whole turns. */

import { realWhisper, sherpaShape, shortHash } from '../lib/models.mjs';
import { realSentences } from '../lib/real-speech.mjs';
import { earshot } from '../lib/servers.mjs';
import { percentile } from '../lib/statistics.mjs';
import { committer, finalMsOf, speaker } from '../live/senders.mjs';
import { spacedWords } from '../live/words.mjs';

/** Of audio that the streaming model takes in at once. */
const chunkMs = 320;

/** @param {number[]} values */
const both = (values) =>
	`p50 ${percentile(values, 0.5).toFixed(0)} ms, p95 ${percentile(values, 0.95).toFixed(0)} ms of ${values.length} turns`;

/**
 * From the end of the first word of each turn to the first text, milliseconds.
 * @param {import('../live/senders.mjs').Heard} heard @param {ReturnType<typeof spacedWords>} words
 */
function firstMsOf({ turns, sentAt }, { roundMs, firstWordEndMs }) {
	return turns.flatMap(({ toMs, firstAtMs }) => {
		// A turn ends with its silence, in the pause of its round.
		const round = Math.floor(toMs / roundMs) * roundMs;
		return firstAtMs === undefined ? [] : [firstAtMs - sentAt(round + firstWordEndMs)];
	});
}

/**
 * @param {import('../bench.mjs').Settings} settings
 * @returns {Promise<import('../bench.mjs').Figure[]>}
 */
export async function liveLatency({ seconds, report }) {
	const files = sherpaShape('streaming-zipformer-medium');
	const tiny = realWhisper();
	const models = {
		streaming: { type: 'streaming_zipformer_ctc', files },
		tiny: { type: 'whisper_cpp', files: { model: tiny } },
	};
	const streaming = `streaming Zipformer2-medium CTC, f32, ${shortHash(files.model)}`;
	const whisper = `whisper-tiny.en ${shortHash(tiny)}`;
	const server = await earshot(models);
	try {
		const words = spacedWords();
		const { pcm, roundMs } = words;
		// Each model is loaded, and its pages are in memory.
		await speaker(server.base, pcm, roundMs / 1000, { model: 'streaming' });
		// Whole rounds, of which the last has its silence.
		const rounds = Math.max(3, Math.round((6 * seconds * 1000) / roundMs));
		const heard = await speaker(server.base, pcm, (rounds * roundMs) / 1000, { model: 'streaming' });
		if (heard.failed > 0 || heard.turns.length < rounds / 2)
			throw new Error(`${heard.turns.length} turns of ${rounds} were heard, ${heard.failed} failed`);
		const [first, final] = [firstMsOf(heard, words), finalMsOf(heard)];
		report(`  ${streaming}: first text ${both(first)}; final ${both(final)}`);
		const sentences = await realSentences();
		await speaker(server.base, sentences, 5, { model: 'tiny' });
		const turns = await speaker(server.base, sentences, 6 * seconds, { model: 'tiny' });
		const late = finalMsOf(turns);
		report(`  ${whisper}: final ${both(late)}`);
		// Push-to-talk: the client says where its turns end.
		const turnSeconds = 3;
		const count = Math.max(10, Math.round((2 * seconds) / turnSeconds));
		const pushed = await committer(server.base, sentences, { model: 'tiny', seconds: turnSeconds, count });
		const streamed = await committer(server.base, pcm, { model: 'streaming', seconds: turnSeconds, count });
		report(`  after a commit: ${whisper} ${both(pushed)}; ${streaming} ${both(streamed)}`);
		/** @type {(what: string, values: number[], atMost: number, model: string) => import('../bench.mjs').Figure} */
		const figure = (what, values, atMost, model) => ({
			what: `one session, ${what}, p95`,
			seen: both(values),
			value: percentile(values, 0.95),
			atMost,
			model,
		});
		return [
			figure('first text after the end of the first word', first, chunkMs + 300, streaming),
			figure('whole text after the silence, of a streaming model', final, 250, streaming),
			figure('whole text after the silence, by turns', late, 250, whisper),
			figure('whole text after a commit, of a streaming model', streamed, 250, streaming),
			figure('whole text after a commit, by turns', pushed, 250, whisper),
		];
	} finally {
		await server.stop();
	}
}
