// One clip's run through whisper_full, of which it calls back.
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

constexpr int kMostDecoders = 8;  // WHISPER_MAX_DECODERS

/** What the callbacks of one run share. All on the thread that runs the clip, but for Filter. */
struct DecodeRun {
	/** What OpenAI's Whisper says of the decode that a segment came from. */
	struct Decode {
		double seek, logprob, temperature;
	};
	/** One decoder's part in the present try. */
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
	std::string language;  // set before anything is decoded

	int failed_before = 0;
	std::array<Attempt, kMostDecoders> attempts{};
	bool window_known = false;
	Decode window{};
	std::vector<Decode> decodes;                // of each segment
	std::vector<std::vector<TokenSpan>> times;  // of each segment's tokens; empty unless asked for

	int Steps() const { return upstream::FailedDecodes(hooks.state_) - failed_before; }
	double Temperature() const {
		// Each failed decode of the window is one step up the ladder.
		return static_cast<double>(options.temperature) + Steps() * static_cast<double>(options.temperature_increment);
	}

	static bool Abort(void* data);

	static bool WindowBegins(whisper_context*, whisper_state* state, void* data);

	/** Before each token, on a thread for each decoder: keeps account, and ends what goes round in circles. */
	static void Filter(whisper_context*, whisper_state* state, const whisper_token_data* tokens, int count, float* logits,
		void* data);

	static void SegmentMade(whisper_context*, whisper_state* state, int count, void* data);

	/** From the first segment of a window, while its decoder still holds the tokens. */
	void ReadWindow(int segment);

	/** Gives times to the tokens of the segments that have none yet: those of one window. Whisper goes on from the end of
	 * its last segment where there `is_more`. */
	void Align(bool is_more);

	/** By cross-attention, from the clip's start and before `until`; empty where nothing is known of the heads. */
	std::vector<TokenSpan> Attend(const std::vector<whisper_token>& text, double seek, double until);

	/** By the sound between the segment's ends, and by the timestamps that the model would have said between words. */
	void Spread(int segment);
};

}  // namespace earshot
