/** Voice activity detection on live audio, in positions of the stream. */

import { LiveLeveller } from '../../audio/leveller.js';
import type { OpenVad, VadSession } from '../../audio/vad.js';
import type { TurnRules } from '../../core/live/live.js';
import { type DetectedSpeech, Turns } from '../../core/live/turns.js';
import { sampleRate } from '../../core/speech/pcm.js';

export class VoiceWatch {
	readonly #session: VadSession;
	/** Position in the stream at which detection began, samples. */
	readonly #origin: number;
	readonly #leveller = new LiveLeveller();

	private constructor(session: VadSession, origin: number) {
		this.#session = session;
		this.#origin = origin;
	}

	/** undefined if this machine has no detector. */
	static async open(openVad: OpenVad, rules: TurnRules, origin: number): Promise<VoiceWatch | undefined> {
		const session = await openVad({
			threshold: rules.threshold,
			prefixPaddingMs: rules.prefixPaddingMs,
			silenceDurationMs: Turns.pauseMs(rules),
		});
		if (session.assumesSpeech !== true) return new VoiceWatch(session, origin);
		await session.close();
		return undefined;
	}

	/** Throws EarshotError. */
	async detect(samples: Float32Array): Promise<DetectedSpeech> {
		const { spans, openSince, settled } = await this.#session.push(this.#leveller.level(samples), false);
		return {
			spans: spans.map(({ start, end }) => ({ start: this.#at(start), end: this.#at(end) })),
			openSince: openSince === null ? null : this.#at(openSince),
			settled: this.#at(settled),
		};
	}

	close(): void {
		this.#session.close().catch(() => {});
	}

	#at(seconds: number): number {
		return this.#origin + Math.round(seconds * sampleRate);
	}
}
