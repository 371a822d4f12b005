// Models whose weights are not in host memory.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audio/decoder.h"
#include "check.h"
#include "core/cancel.h"
#include "ggml/fake_ggml.h"
#include "kernels/int_matrix.h"
#include "vad/vad.h"
#include "whisper/engine.h"

namespace earshot::tests {

namespace {

std::string Model() { return Fixtures() + "whisper/tones.bin"; }

std::vector<float> Samples(const std::string& name) {
	const auto reader = AudioReader::Make({nullptr, 0, Fixtures() + "audio/" + name + ".wav"}, 600);
	const Cancel never(std::make_shared<Signal>());
	std::vector<float> samples(600 * kSampleRate);
	if (!reader->Open(never)) return {};
	const auto read = reader->Read(samples.data(), samples.size(), never);
	samples.resize(read ? read->count : 0);
	return samples;
}

/** The text of each clip of a batch, or the failure. */
std::vector<std::string> Texts(WhisperEngine& engine, const std::vector<std::string>& names) {
	std::vector<std::vector<float>> samples;
	std::vector<ClipRequest> requests;
	for (const std::string& name : names) samples.push_back(Samples(name));
	for (const auto& each : samples) {
		requests.push_back({{each.data(), each.size()}, std::make_shared<const Cancel>(std::make_shared<Signal>())});
	}
	WhisperOptions options;
	options.language = "en";
	options.token_timestamps = true;
	std::vector<std::string> texts(names.size());
	const auto on_result = [&texts](size_t at, Expected<RawResult> result) {
		texts[at] = result ? result->bytes : result.failure().text;
	};
	const Expected<Done> done = engine.Transcribe(requests, options, on_result);
	if (!done) return {done.failure().text};
	return texts;
}

struct Wish {
	bool gpu = false;
	std::optional<Integers> integers;
	bool quantise = false;
};

Expected<std::shared_ptr<WhisperEngine>> Load(const Wish& wish) {
	WhisperLoad load;
	load.path = Model();
	load.max_threads = 2;
	load.use_gpu = wish.gpu;
	load.integers = wish.integers;
	load.quantise_decoder = wish.quantise;
	return WhisperEngine::Load(load);
}

void ExpectRight(const Wish& wish, const char* device, const char* encoder, bool foreign) {
	auto engine = Load(wish);
	EXPECT_THAT(static_cast<bool>(engine), engine ? "" : "no failure: " + engine.failure().text);
	if (!engine) return;
	EXPECT_THAT((*engine)->info().device == device, "device " + (*engine)->info().device);
	EXPECT_THAT((*engine)->info().encoder == encoder, "encoder " + (*engine)->info().encoder);
	EXPECT((ForeignBytes() > 0) == foreign);
	// In 8 bits this model's decoder goes wrong after the second word.
	const bool whole = (*engine)->info().decoder == "f16";
	const std::vector<std::string> wanted{whole ? " alpha bravo charlie" : " alpha bravo", " alpha"};
	// One clip, and a full batch.
	for (const size_t count : {1, 2}) {
		const auto said = Texts(**engine, count == 1 ? std::vector<std::string>{"tones-abc"}
			: std::vector<std::string>{"tones-abc", "tones-a"});
		EXPECT(said.size() == count);
		for (size_t i = 0; i < said.size(); i++) {
			EXPECT_THAT(whole ? said[i] == wanted[i] : said[i].starts_with(wanted[i]),
				wanted[i] + " by " + encoder + ", got" + said[i]);
		}
	}
}

}  // namespace

TEST("weights in the CPU's own buffer type are left to ggml, and the text is right") {
	ExpectRight({}, "CPU", "ggml", true);
}

TEST("a decoder with such weights is not converted to 8 bits") {
	ExpectRight({false, std::nullopt, true}, "CPU", "ggml", true);
}

TEST("with an integer encoder the weights are loaded into plain memory") {
	if (!HasIntegers()) return;
	for (const Integers integers : {Integers::k16, Integers::k8}) {
		const char* name = integers == Integers::k16 ? "int16" : "int8";
		ExpectRight({false, integers, false}, "CPU", name, false);
		ExpectRight({false, integers, true}, "CPU", name, false);
	}
	// The next model's weights are in foreign buffers again.
	ExpectRight({}, "CPU", "ggml", true);
}

TEST("the integer encoder refuses a model on another device, naming the tensor") {
	for (const Integers integers : {Integers::k16, Integers::k8}) {
		const auto engine = Load({true, integers, false});
		EXPECT(!engine);
		if (engine) continue;
		const Failure& failure = engine.failure();
		const bool named = failure.text == "tensor encoder.conv1.weight is not as expected: it is on FAKE0";
		const bool lacking = failure.text.find("AVX-512 VNNI") != std::string::npos;
		EXPECT_THAT(HasIntegers() ? named : lacking, "another reason than: " + failure.text);
		EXPECT(std::string(failure.code) == (HasIntegers() ? "model_load_failed" : "engine_missing"));
	}
}

TEST("a model on another device gives the same text, also with an 8-bit decoder") {
	ExpectRight({true, std::nullopt, false}, "FAKE0", "ggml", false);
	ExpectRight({true, std::nullopt, true}, "FAKE0", "ggml", false);
}

}  // namespace earshot::tests
