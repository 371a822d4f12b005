#include "whisper/decode/search.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/decoder/logits.h"

namespace earshot {

namespace {

/** whisper.cpp's threshold: a text with less entropy is repetitive. */
constexpr double kMinEntropy = 2.4;
constexpr size_t kMinEntropyTokens = 32;

/** Samples a token by its probability. */
int32_t Draw(const Distribution& distribution, size_t size, std::mt19937& generator) {
	const float greatest = Greatest(distribution.logits, size);
	std::vector<double> sums(size);
	double sum = 0;
	for (size_t i = 0; i < size; i++) {
		sum += std::exp(static_cast<double>(distribution.logits[i] - greatest));
		sums[i] = sum;
	}
	const double drawn = std::generate_canonical<double, 53>(generator) * sum;
	const auto found = std::upper_bound(sums.begin(), sums.end(), drawn);
	return static_cast<int32_t>(std::min<size_t>(static_cast<size_t>(found - sums.begin()), size - 1));
}

/** A sequence and one more token. */
struct Candidate {
	size_t parent;
	Token token;
	double sum;
};

class Searching {
public:
	Searching(const Rules& rules, const Window& window, const Strategy& strategy, std::vector<std::mt19937>& generators)
		: rules_(rules), words_(rules.words()), window_(window), strategy_(strategy), generators_(generators),
		  is_sampling_(strategy.temperature > 0) {
		live_.resize(is_sampling_ ? strategy.width : 1);
	}

	/** Adds a token to each; `shared`: all have the first row of logits. */
	void Add(float* logits, bool shared) {
		std::vector<Distribution> distributions;
		for (size_t i = 0; i < (shared ? 1 : live_.size()); i++) {
			const Sequence& one = live_[i];
			distributions.push_back(rules_.Apply(one.tokens, one.last_stamp, logits + i * words_.size, strategy_.temperature));
		}
		if (is_sampling_ || strategy_.width == 1) AddOne(distributions, shared);
		else AddBeams(distributions);
		steps_++;
	}

	bool Done() const {
		const bool enough = !is_sampling_ && strategy_.width > 1 && ended_.size() >= strategy_.width;
		return live_.empty() || enough || steps_ >= window_.max_tokens;
	}

	std::vector<Sequence*> Live() {
		std::vector<Sequence*> live;
		for (Sequence& one : live_) live.push_back(&one);
		return live;
	}

	Sequence Best() {
		// Unfinished sequences count only if too few have ended.
		std::stable_sort(
			live_.begin(), live_.end(), [](const Sequence& one, const Sequence& other) { return one.sum > other.sum; });
		for (Sequence& one : live_) {
			if (ended_.size() < strategy_.width) ended_.push_back(std::move(one));
		}
		Sequence* best = nullptr;
		for (Sequence& one : ended_) {
			if (one.kept > kMinEntropyTokens && one.Entropy() < kMinEntropy) one.state = Sequence::State::kFailed;
			if (one.state == Sequence::State::kFailed) continue;
			if (best == nullptr || one.Score(words_) > best->Score(words_)) best = &one;
		}
		if (best != nullptr) return std::move(*best);
		if (!ended_.empty()) return std::move(ended_.front());
		return failed_.empty() ? Sequence{} : std::move(failed_.front());
	}

private:
	void Sort(Sequence one, std::vector<Sequence>& live) {
		auto& list = one.state == Sequence::State::kLive ? live : one.state == Sequence::State::kEnded ? ended_ : failed_;
		list.push_back(std::move(one));
	}

	/** Adds the likeliest token, or a sampled one. */
	void AddOne(const std::vector<Distribution>& distributions, bool shared) {
		std::vector<Sequence> live;
		for (size_t i = 0; i < live_.size(); i++) {
			const Distribution& distribution = distributions[shared ? 0 : i];
			int32_t id = words_.end;
			if (is_sampling_ && !std::isnan(distribution.log_sum)) {
				id = Draw(distribution, words_.size, generators_[i]);
			} else if (const auto best = GreatestOf(distribution.logits, words_.size, 1); !best.empty()) {
				id = static_cast<int32_t>(best.front().at);
			}
			live_[i].Add(distribution.Choose(id), words_, window_);
			Sort(std::move(live_[i]), live);
		}
		live_ = std::move(live);
	}

	/** Adds the likeliest tokens over all beams, like OpenAI's BeamSearchDecoder. */
	void AddBeams(const std::vector<Distribution>& distributions) {
		std::vector<Candidate> candidates;
		for (size_t i = 0; i < live_.size(); i++) {
			if (std::isnan(distributions[i].log_sum)) continue;
			for (const Ranked& each : GreatestOf(distributions[i].logits, words_.size, strategy_.width + 1)) {
				const Token token = distributions[i].Choose(static_cast<int32_t>(each.at));
				candidates.push_back({i, token, live_[i].sum + static_cast<double>(token.logprob)});
			}
		}
		std::stable_sort(candidates.begin(), candidates.end(),
			[](const Candidate& one, const Candidate& other) { return one.sum > other.sum; });
		std::vector<Sequence> live;
		for (const Candidate& each : candidates) {
			if (live.size() == strategy_.width) break;
			Sequence one = live_[each.parent];
			one.Add(each.token, words_, window_);
			Sort(std::move(one), live);
		}
		live_ = std::move(live);
	}

	const Rules& rules_;
	const Vocabulary& words_;
	const Window& window_;
	const Strategy& strategy_;
	std::vector<std::mt19937>& generators_;
	const bool is_sampling_;
	std::vector<Sequence> live_, ended_, failed_;
	size_t steps_ = 0;
};

}  // namespace

std::optional<Sequence> Search(Decoder& decoder, const Rules& rules, const Window& window, const Strategy& strategy,
	std::vector<std::mt19937>& generators) {
	Searching search(rules, window, strategy, generators);
	float* logits = decoder.Start();
	if (logits == nullptr) return std::nullopt;
	for (search.Add(logits, true); !search.Done(); search.Add(logits, false)) {
		logits = decoder.Next(search.Live());
		if (logits == nullptr) return std::nullopt;
	}
	return search.Best();
}

}  // namespace earshot
