// The search for a window's text, on a decoder that follows a script.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "kernels/decoder/logits.h"
#include "whisper/decode/rules.h"
#include "whisper/decode/search.h"
#include "whisper/decode/windows.h"

namespace earshot::tests {

namespace {

// ---- a vocabulary of letters: a … j, then the special tokens, then timestamps ------------------------

Vocabulary Words() {
	Vocabulary words;
	words.size = 80;
	words.blank = 9;
	words.end = 10;
	words.start = 11;
	words.previous = 12;
	words.no_speech = 13;
	words.first_stamp = 14;
	return words;
}

constexpr Window kWindow{0, 3000, 20, true};

/** `a` … `i` are letters, `.` is the end of the text, digits are <|0.00|>, <|0.20|> and so on. */
int32_t IdOf(char letter) {
	const Vocabulary words = Words();
	if (letter == '.') return words.end;
	if (letter >= '0' && letter <= '9') return words.first_stamp + 5 * (letter - '0');
	return letter - 'a';
}

std::string TextOf(const Sequence& sequence) {
	std::string text;
	for (const Token& token : sequence.tokens) {
		for (const char letter : std::string(".0123456789abcdefghi")) {
			if (IdOf(letter) == token.id) text += letter;
		}
	}
	return text;
}

/** Probabilities of what follows each text; the end of the text where nothing is written. */
using Script = std::map<std::string, std::map<char, double>>;

class Scripted final : public Decoder {
public:
	explicit Scripted(Script script) : script_(std::move(script)) {}

	float* Start() override {
		steps = rows = 0;
		return Fill({Sequence{}});
	}
	float* Next(const std::vector<Sequence*>& sequences) override {
		if (++steps == fail_at) return nullptr;
		rows += sequences.size();
		std::vector<Sequence> all;
		for (Sequence* sequence : sequences) {
			EXPECT(sequence->cells.size() + 1 == sequence->tokens.size());
			sequence->cells.push_back(0);
			all.push_back(*sequence);
		}
		return Fill(all);
	}

	size_t steps = 0, rows = 0, fail_at = 0;

private:
	float* Fill(const std::vector<Sequence>& sequences) {
		const size_t size = Words().size;
		logits_.assign(size * sequences.size(), -INFINITY);
		for (size_t i = 0; i < sequences.size(); i++) {
			const auto found = script_.find(TextOf(sequences[i]));
			if (found == script_.end()) {
				logits_[i * size + static_cast<size_t>(Words().end)] = 0;
				continue;
			}
			for (const auto& [letter, probability] : found->second) {
				logits_[i * size + static_cast<size_t>(IdOf(letter))] = static_cast<float>(std::log(probability));
			}
		}
		return logits_.data();
	}

	const Script script_;
	std::vector<float> logits_;
};

/** The likeliest first letter leads to an unlikely text. */
Script Garden() {
	return {
		{"", {{'0', 1}}},
		{"0", {{'a', 0.6}, {'b', 0.4}}},
		{"0a", {{'c', 0.4}, {'d', 0.3}, {'e', 0.3}}},
		{"0b", {{'f', 1}}},
		{"0ac", {{'5', 1}}},
		{"0ad", {{'5', 1}}},
		{"0ae", {{'5', 1}}},
		{"0bf", {{'5', 1}}},
	};
}

std::string SearchedText(Decoder& decoder, const Strategy& strategy, const Rules& rules = Rules(Words(), {})) {
	std::vector<std::mt19937> chance;
	for (uint32_t i = 0; i < strategy.width; i++) chance.emplace_back(i);
	const auto found = Search(decoder, rules, kWindow, strategy, chance);
	return found ? TextOf(*found) : "failed";
}

}  // namespace

TEST("greedy search follows the likeliest token, a beam finds the likeliest text") {
	Scripted decoder(Garden());
	EXPECT(SearchedText(decoder, {0, 1}) == "0ac5.");
	EXPECT(SearchedText(decoder, {0, 2}) == "0bf5.");
	EXPECT(SearchedText(decoder, {0, 5}) == "0bf5.");
}

TEST("a beam decodes no more sequences than it is wide, and none of impossible texts") {
	Scripted decoder(Garden());
	EXPECT(SearchedText(decoder, {0, 5}) == "0bf5.");
	// 0 | a b | ac ad ae bf | their timestamps.
	EXPECT_THAT(decoder.rows == 1 + 2 + 4 + 4, std::to_string(decoder.rows) + " rows");
	EXPECT(SearchedText(decoder, {0, 2}) == "0bf5.");
	EXPECT_THAT(decoder.rows == 1 + 2 + 2 + 2, std::to_string(decoder.rows) + " rows");
}

TEST("no beam contains suppressed tokens") {
	Scripted decoder(Garden());
	const Rules rules(Words(), {IdOf('b'), IdOf('c')});
	EXPECT(SearchedText(decoder, {0, 1}, rules) == "0ad5.");
	EXPECT(SearchedText(decoder, {0, 5}, rules) == "0ad5.");
}

TEST("by chance each token comes as often as it is likely") {
	int first = 0;
	for (uint32_t seed = 0; seed < 400; seed++) {
		Scripted decoder(Garden());
		std::vector<std::mt19937> chance{std::mt19937(seed)};
		const auto found = Search(decoder, Rules(Words(), {}), kWindow, {1, 1}, chance);
		if (found && TextOf(*found).starts_with("0a")) first++;
	}
	EXPECT_THAT(first > 210 && first < 270, std::to_string(first) + " of 400 where 240 are likely");
}

TEST("a search ends where the decoder fails") {
	Scripted decoder(Garden());
	decoder.fail_at = 2;
	EXPECT(SearchedText(decoder, {0, 1}) == "failed");
	EXPECT(SearchedText(decoder, {0, 5}) == "failed");
	EXPECT(SearchedText(decoder, {1, 2}) == "failed");
}

TEST("a text that never ends is cut at the maximum number of tokens, and has failed") {
	Script script{{"", {{'0', 1}}}};
	std::string text = "0";
	for (int i = 0; i < 40; i++) {
		script[text] = {{static_cast<char>('a' + i % 9), 1}};
		text += static_cast<char>('a' + i % 9);
	}
	for (const size_t width : {1, 3}) {
		Scripted decoder(script);
		std::vector<std::mt19937> chance(width);
		const auto found = Search(decoder, Rules(Words(), {}), kWindow, {0, width}, chance);
		EXPECT(found && found->state == Sequence::State::kFailed);
		EXPECT(found && found->tokens.size() <= kWindow.max_tokens);
	}
}

TEST("a text that repeats itself has failed") {
	Script script{{"", {{'0', 1}}}};
	std::string text = "0";
	for (int i = 0; i < 60; i++, text += 'a') script[text] = {{'a', 1}};
	Scripted decoder(script);
	std::vector<std::mt19937> chance(1);
	const auto found = Search(decoder, Rules(Words(), {}), {0, 3000, 60, true}, {0, 1}, chance);
	EXPECT(found && found->state == Sequence::State::kFailed && found->loops);
}

TEST("a window's tokens become segments at pairs of timestamps") {
	const Vocabulary words = Words();
	Sequence decoded;
	for (const char letter : std::string("0ab2")) decoded.Add({IdOf(letter), 0, IdOf(letter)}, words, kWindow);
	for (const char letter : std::string("3c5")) decoded.Add({IdOf(letter), 0, IdOf(letter)}, words, kWindow);
	const Window window{1000, 3000, 20, true};
	std::vector<Segment> segments;
	// The text ends in a single timestamp: the rest of the window is silent.
	EXPECT(Split(decoded, words, window, {0, 0, {}, 1000, 0, 0, 0, {}}, segments) == 2000);
	EXPECT(segments.size() == 2);
	EXPECT(segments[0].begin == 1000 && segments[0].end == 1020);
	EXPECT(segments[1].begin == 1030 && segments[1].end == 1050);
	EXPECT(segments[0].tokens.size() == 4 && segments[1].tokens.size() == 2);
}

TEST("what follows the last pair of timestamps is left to the next window") {
	const Vocabulary words = Words();
	Sequence decoded;
	for (const char letter : std::string("0ab22c.")) decoded.Add({IdOf(letter), 0, IdOf('2')}, words, kWindow);
	EXPECT(decoded.kept == 5 && decoded.advance == 20 && decoded.state == Sequence::State::kEnded);
	decoded.tokens.resize(decoded.kept);
	std::vector<Segment> segments;
	EXPECT(Split(decoded, words, kWindow, {0, 0, {}, 0, 0, 0, 0, {}}, segments) == 20);
	EXPECT(segments.size() == 1);
}

TEST("averages and scores are those of OpenAI's decoding.py") {
	const Vocabulary words = Words();
	Sequence decoded;
	for (const char letter : std::string("0ab5.")) decoded.Add({IdOf(letter), -0.5F, 0, 0, 0, -0.25F}, words, kWindow);
	EXPECT(decoded.SpokenTokens(words) == 4);
	EXPECT(std::abs(decoded.Average(words) + 2.5 / 5) < 1e-12);
	EXPECT(std::abs(decoded.PlainAverage(words) + 1.25 / 5) < 1e-12);
	EXPECT(std::abs(decoded.Score(words) + 2.5 / 4) < 1e-12);
}

TEST("timestamps come in pairs, in order, and as soon as they are likelier than any text") {
	const Rules rules(Words(), {});
	const auto allowed = [&](const std::string& said, char letter, float stamp = 0) {
		std::vector<float> logits(Words().size, 0);
		logits[static_cast<size_t>(IdOf('a'))] = logits[static_cast<size_t>(IdOf('.'))] = 8;
		logits[static_cast<size_t>(IdOf('5'))] += stamp;
		std::vector<Token> tokens;
		int32_t last = -1;
		for (const char each : said) {
			tokens.push_back({IdOf(each), 0, 0});
			if (Words().IsStamp(tokens.back().id)) last = tokens.back().id;
		}
		const Distribution distribution = rules.Apply(tokens, last, logits.data());
		return std::isfinite(distribution.Choose(IdOf(letter)).logprob);
	};
	EXPECT(allowed("0", 'a') && !allowed("0", '1'));
	EXPECT(allowed("0a", '1') && allowed("0a", '.'));
	EXPECT(!allowed("0a3", 'a') && allowed("0a3", '3') && !allowed("0a3", '2') && allowed("0a3", '.'));
	EXPECT(!allowed("0a33", '4') && allowed("0a33", 'a'));
	EXPECT(!allowed("", '.'));
	EXPECT(!allowed("0a", 'a', 12) && allowed("0a", '5', 12));
}

TEST("the greatest numbers, and sums of exponentials, match plain loops") {
	Noise noise(5);
	for (const size_t count : {1, 15, 16, 17, 1500, 51864}) {
		std::vector<float> numbers = noise.Some(count, 20);
		if (count > 20) numbers[7] = numbers[count - 1] = 30;
		if (count > 20) numbers[3] = -INFINITY;
		const float greatest = *std::max_element(numbers.begin(), numbers.end());
		EXPECT(Greatest(numbers.data(), count) == greatest);
		double sum = 0;
		for (const float number : numbers) sum += std::exp(static_cast<double>(number - greatest));
		EXPECT(std::abs(SumOfExponentials(numbers.data(), count, greatest) / sum - 1) < 1e-5);
		const std::vector<Ranked> ranked = GreatestOf(numbers.data(), count, 6);
		std::vector<float> sorted = numbers;
		std::sort(sorted.rbegin(), sorted.rend());
		EXPECT(ranked.size() == std::min<size_t>(count, 6));
		for (size_t i = 0; i < ranked.size(); i++) {
			EXPECT(ranked[i].number == sorted[i] && numbers[ranked[i].at] == sorted[i]);
		}
		if (count > 20) EXPECT(ranked[0].at == 7 && ranked[1].at == count - 1);
	}
}

}  // namespace earshot::tests
