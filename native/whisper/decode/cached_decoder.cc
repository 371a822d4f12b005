#include "whisper/decode/cached_decoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/decoder/logits.h"
#include "whisper/upstream/step.h"
#include "whisper/upstream/upstream.h"

namespace earshot {

namespace {

float ProbabilityOf(int32_t id, const float* logits, size_t size) {
	const float greatest = Greatest(logits, size);
	if (!std::isfinite(greatest)) return 0;
	return static_cast<float>(
		std::exp(static_cast<double>(logits[id] - greatest)) / SumOfExponentials(logits, size, greatest));
}

}  // namespace

CachedDecoder::CachedDecoder(
	upstream::DecodeHooks& hooks, const Vocabulary& words, size_t width, size_t max_tokens)
	: hooks_(hooks), words_(words), width_(width), max_tokens_(max_tokens) {}

bool CachedDecoder::Encode(int seek) {
	if (std::exchange(encoded_, seek) == seek) return true;
	// Its prompt has attended to another window.
	ForgetPrompt();
	return upstream::EncodeWindow(hooks_, seek);
}

void CachedDecoder::SetPrompt(std::vector<int32_t> prompt) { prompt_ = std::move(prompt); }

float* CachedDecoder::Start() {
	next_cell_ = PromptCells();
	if (decoded_ != prompt_) {
		decoded_.clear();
		const auto most = static_cast<uint32_t>(prompt_.size() + width_ * max_tokens_);
		if (!upstream::ReserveCells(hooks_.context_, hooks_.state_, most)) {
			failure_ = Failure{"out_of_memory", "whisper.cpp found no memory for its key-value cache"};
			return nullptr;
		}
		upstream::DecoderStep step;
		std::vector<uint32_t> cells;
		for (const int32_t token : prompt_) {
			step.rows.push_back({token, static_cast<int>(cells.size()), cells});
			cells.push_back(static_cast<uint32_t>(cells.size()));
		}
		const auto start = static_cast<size_t>(
			std::find(prompt_.begin(), prompt_.end() - 1, words_.start) - prompt_.begin());
		step.wanted = {start};
		if (start + 1 < prompt_.size()) step.wanted.push_back(prompt_.size() - 1);
		const float* logits = upstream::Decode(hooks_, step);
		if (logits == nullptr) return nullptr;
		no_speech_ = ProbabilityOf(words_.no_speech, logits, words_.size);
		const float* last = logits + (step.wanted.size() - 1) * words_.size;
		after_.assign(last, last + words_.size);
		decoded_ = prompt_;
	}
	copy_ = after_;
	return copy_.data();
}

float* CachedDecoder::Next(const std::vector<Sequence*>& sequences) {
	std::vector<uint32_t> prompt(PromptCells());
	for (uint32_t cell = 0; cell < prompt.size(); cell++) prompt[cell] = cell;
	upstream::DecoderStep step;
	step.first_cell = next_cell_;
	for (Sequence* sequence : sequences) {
		std::vector<uint32_t> cells = prompt;
		cells.insert(cells.end(), sequence->cells.begin(), sequence->cells.end());
		step.wanted.push_back(step.rows.size());
		step.rows.push_back({sequence->tokens.back().id, static_cast<int>(cells.size()), std::move(cells)});
		sequence->cells.push_back(next_cell_++);
	}
	return upstream::Decode(hooks_, step);
}

}  // namespace earshot
