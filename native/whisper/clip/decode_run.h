// One run of whisper_full, with its callbacks.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <whisper.h>

#include "core/cancel.h"
#include "core/clip.h"
#include "whisper/engine.h"
#include "whisper/math/sound.h"
#include "whisper/math/word_times.h"
#include "whisper/upstream/hooks.h"
#include "whisper/upstream/upstream.h"

namespace earshot {

constexpr int kMaxDecoders = 8;  // WHISPER_MAX_DECODERS

/** State shared by the callbacks of one run. All are called on the clip's thread except Filter. */
struct DecodeRun {
	/** What OpenAI's Whisper reports about the decode that a segment is from. */
	struct Decode {
		double seek, logprob, temperature;
	};
	/** One decoder in the current attempt. */
	struct Attempt {
		size_t sampled = 0;
		double sum = 0;
		bool loops = false;
	};

	whisper_context* const context;
	upstream::DecodeHooks& hooks;
	const Cancel& cancel;
	const WhisperOptions& options;
	const std::vector<upstream::Head>& heads;
	const Sound& sound;
	const Clip& clip;
	const int threads;
	std::string language;  // set before decoding starts

	int failed_before = 0;
	std::array<Attempt, kMaxDecoders> attempts{};
	bool window_known = false;
	Decode window{};
	std::vector<Decode> decodes;                // one per segment
	std::vector<std::vector<TokenSpan>> times;  // of each segment's tokens; empty unless requested

	int Steps() const { return upstream::FailedDecodes(hooks.state_) - failed_before; }
	double Temperature() const {
		// Temperature fallback: one step for each failed decode of the window.
		return static_cast<double>(options.temperature) + Steps() * static_cast<double>(options.temperature_increment);
	}

	static bool Abort(void* data);

	static bool WindowBegins(whisper_context*, whisper_state* state, void* data);

	/** Called before each token, on one thread per decoder: sums log-probabilities, and ends decoders that repeat
	 * themselves. */
	static void Filter(whisper_context*, whisper_state* state, const whisper_token_data* tokens, int count, float* logits,
		void* data);

	static void SegmentMade(whisper_context*, whisper_state* state, int count, void* data);

	/** Sets `window` from its first segment, while the decoder still holds the tokens. */
	void ReadWindow(int segment);

	/** Computes token times of the segments that have none yet: those of one window. `is_more`: whisper.cpp continues at
	 * the end of the last segment. */
	void Align(bool is_more);

	/** By cross-attention, from the clip's start and before `until`; empty if no alignment heads are known. */
	std::vector<TokenSpan> Attend(const std::vector<whisper_token>& text, double seek, double until);

	/** By audio energy within the segment, and by likely timestamp tokens between words. */
	void Spread(int segment);
};

}  // namespace earshot
