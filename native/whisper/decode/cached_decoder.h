// whisper.cpp's decoder as a Decoder: all sequences use one cache, and a sequence shares the cells of the one that it
// continues.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/failure.h"
#include "whisper/decode/search.h"
#include "whisper/upstream/hooks.h"

namespace earshot {

/** Used within the DecodeHooks of its clip. */
class CachedDecoder final : public Decoder {
public:
	/** `width`: maximum number of sequences, `max_tokens`: maximum length of each. */
	CachedDecoder(upstream::DecodeHooks& hooks, const Vocabulary& words, size_t width, size_t max_tokens);

	/** Encodes the window at `seek` hundredths of a second, unless it is encoded already. False on failure. */
	bool Encode(int seek);
	/** Sets the prompt for the next Start. */
	void SetPrompt(std::vector<int32_t> prompt);
	float* Start() override;
	float* Next(const std::vector<Sequence*>& sequences) override;

	/** Probability that the window has no speech, as OpenAI has it: at <|startoftranscript|>. Known after Start. */
	float no_speech() const { return no_speech_; }
	/** The failure of the encoder or of an allocation, if any. */
	const std::optional<Failure>& failure() const { return failure_; }
	void ForgetPrompt() { decoded_.clear(); }

private:
	uint32_t PromptCells() const { return static_cast<uint32_t>(prompt_.size()); }

	upstream::DecodeHooks& hooks_;
	const Vocabulary& words_;
	const size_t width_, max_tokens_;
	int encoded_ = -1;
	std::vector<int32_t> prompt_;
	/** The prompt that is in the first cells, and the logits after it: for the next attempt. */
	std::vector<int32_t> decoded_;
	std::vector<float> after_, copy_;
	float no_speech_ = 0;
	uint32_t next_cell_ = 0;
	std::optional<Failure> failure_;
};

}  // namespace earshot
