import { expect, test } from 'vitest';
import { seeded } from '../../core/live/random.js';
import { brokenRule } from './rules.js';
import { Simulation } from './simulation.js';

/** `npm run interleavings` tries 100,000. */
const count = Number(process.env.EARSHOT_INTERLEAVINGS ?? 4000);
const steps = 120;

test(`${count} random interleavings of client, model and clock keep every rule of the protocol`, () => {
	const types = new Set<string>();
	for (let seed = 1; seed <= count; seed++) {
		const random = seeded(seed);
		const simulation = new Simulation(random);
		for (let step = random.below(steps); step >= 0; step--) simulation.step();
		simulation.finish();
		const broken =
			brokenRule(simulation.sent, {
				isOver: true,
				asked: simulation.asked,
				commits: simulation.commits,
			}) ??
			(simulation.closed === undefined ? 'the session closes at its end' : undefined) ??
			(simulation.late > 0 ? 'nothing comes after the socket was closed' : undefined) ??
			(simulation.forgotten > 0 ? 'what was answered does not count as unanswered' : undefined);
		if (broken !== undefined) expect.fail(`seed ${seed}: ${broken}`);
		for (const { type } of simulation.sent) types.add(type);
	}
	// What chance has never tried proves nothing.
	expect([...types].sort()).toEqual(
		[
			'conversation.item.added',
			'conversation.item.done',
			'conversation.item.input_audio_transcription.completed',
			'conversation.item.input_audio_transcription.delta',
			'conversation.item.input_audio_transcription.failed',
			'conversation.item.retrieved',
			'error',
			'input_audio_buffer.cleared',
			'input_audio_buffer.committed',
			'input_audio_buffer.speech_started',
			'input_audio_buffer.speech_stopped',
			'session.created',
			'session.updated',
		].sort(),
	);
}, 600_000);
