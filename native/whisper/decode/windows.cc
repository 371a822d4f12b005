#include "whisper/decode/windows.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace earshot {

namespace {

/** At higher temperatures the previous text is not used as prompt, as in OpenAI's transcribe.py. */
constexpr double kMaxWithPrompt = 0.5;
/** A shorter rest of a clip, in hundredths of a second, is decoded without the previous text, which it would tend to
 * repeat. */
constexpr int kShortRestFrames = 500;

std::vector<double> TemperaturesOf(const DecodePlan& plan) {
	std::vector<double> all{plan.temperature};
	if (plan.temperature_increment <= 0) return all;
	constexpr double kRounding = 1e-6;
	for (double t = plan.temperature + plan.temperature_increment; t < 1 + kRounding; t += plan.temperature_increment) {
		all.push_back(t);
	}
	return all;
}

std::vector<int32_t> PromptOf(
	const std::vector<int32_t>& past, const DecodePlan& plan, const Vocabulary& words, double temperature) {
	std::vector<int32_t> prompt;
	if (!past.empty() && temperature < kMaxWithPrompt) {
		const auto count = static_cast<std::ptrdiff_t>(std::min(past.size(), plan.max_prompt));
		prompt.push_back(words.previous);
		prompt.insert(prompt.end(), past.end() - count, past.end());
	}
	prompt.insert(prompt.end(), plan.task.begin(), plan.task.end());
	return prompt;
}

}  // namespace

int Split(const Sequence& decoded, const Vocabulary& words, const Window& window, const Segment& of_window,
	std::vector<Segment>& segments) {
	const std::vector<Token>& tokens = decoded.tokens;
	const auto time_of = [&](const Token& token) { return window.seek + 2 * (token.stamp - words.first_stamp); };
	const auto closes = [&](size_t i) { return i < tokens.size() && tokens[i].id > words.first_stamp; };
	size_t first = 0;
	bool has_text = false;
	int64_t begin = tokens.empty() ? 0 : time_of(tokens.front());
	const auto add = [&](int64_t end, size_t to) {
		if (!has_text) return;
		Segment segment = of_window;
		segment.begin = begin;
		segment.end = end;
		segment.tokens.assign(
			tokens.begin() + static_cast<std::ptrdiff_t>(first), tokens.begin() + static_cast<std::ptrdiff_t>(to));
		segments.push_back(std::move(segment));
	};
	for (size_t i = 0; i < tokens.size(); i++) {
		has_text |= words.IsText(tokens[i].id);
		if (!closes(i)) continue;
		add(time_of(tokens[i]), i + 1);
		// The text after it begins at the last of adjacent timestamps.
		while (closes(i + 1)) i++;
		begin = time_of(tokens[i]);
		first = i + 1;
		has_text = false;
	}
	add(window.seek + decoded.advance, tokens.size());
	// If the text ends in a single timestamp, there is no speech after it.
	const size_t count = tokens.size();
	const bool single = count > 1 && !words.IsStamp(tokens[count - 2].id) && closes(count - 1);
	return single ? std::min(window.end - window.seek, Window::kLength) : decoded.advance;
}

bool DecodeWindows(CachedDecoder& decoder, const Rules& rules, const DecodePlan& plan, std::vector<Segment>& segments,
	const OnWindow& on_window) {
	const Vocabulary& words = rules.words();
	const std::vector<double> temperatures = TemperaturesOf(plan);
	std::vector<std::mt19937> generators;
	for (size_t i = 0; i < plan.candidates; i++) generators.emplace_back(static_cast<uint32_t>(i));
	std::vector<int32_t> past = plan.prompt;
	for (Window window{0, plan.end, plan.max_tokens, plan.stamps}; !window.EndsAt(0);) {
		if (!decoder.Encode(window.seek)) return false;
		if (window.seek > 0 && window.seek + kShortRestFrames >= window.end) past.clear();
		std::vector<int32_t> prompt;
		Segment of_window{0, 0, {}, window.seek, 0, 0, 0, {}};
		Sequence decoded;
		bool silent = false;
		for (const double temperature : temperatures) {
			prompt = PromptOf(past, plan, words, temperature);
			decoder.SetPrompt(prompt);
			const Strategy strategy{temperature, temperature > 0 ? plan.candidates : plan.beams};
			std::optional<Sequence> found = Search(decoder, rules, window, strategy, generators);
			if (!found) return false;
			decoded = std::move(*found);
			const bool failed = decoded.state == Sequence::State::kFailed;
			of_window.logprob = decoded.PlainAverage(words);
			of_window.temperature = temperature;
			of_window.no_speech = decoder.no_speech();
			const bool unlikely = failed || decoded.Average(words) < plan.logprob_threshold;
			silent = unlikely && of_window.no_speech > plan.no_speech_threshold;
			if (!failed && (!unlikely || silent)) break;
		}
		// Text after the last timestamp is decoded again in the next window.
		if (decoded.state != Sequence::State::kFailed) decoded.tokens.resize(decoded.kept);
		const size_t first = segments.size();
		past.clear();
		if (prompt.front() == words.previous) {
			past.assign(prompt.begin() + 1, prompt.end() - static_cast<std::ptrdiff_t>(plan.task.size()));
		}
		if (!silent) {
			for (size_t i = 0; i < std::min(decoded.kept, decoded.tokens.size()); i++) past.push_back(decoded.tokens[i].id);
		}
		window.seek += Split(decoded, words, window, of_window, segments);
		if (silent) segments.erase(segments.begin() + static_cast<std::ptrdiff_t>(first), segments.end());
		on_window(first, !window.EndsAt(0));
		// The prompt's cells may have been used in between.
		decoder.ForgetPrompt();
	}
	return true;
}

}  // namespace earshot
