// Checks model files before whisper.cpp's loader, which trusts them: counts become sizes, the number of dimensions an index
// on its stack, and with truncated files weights stay uninitialised.
// Layout: magic, 11 hyperparameters, mel filters, vocabulary, then tensors until the end; little-endian.
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include <ggml.h>

#include "core/failure.h"
#include "whisper/engine.h"
#include "whisper/model/model_file.h"

namespace earshot {

namespace {

/** Reads forward; after the end every read fails. */
class Cursor {
public:
	explicit Cursor(ModelFile file) : file_(std::move(file)) {}

	bool Bytes(void* into, size_t count) {
		return static_cast<int64_t>(count) <= left() && file_.Read(into, count) == count;
	}
	bool Int(int32_t& value) { return Bytes(&value, sizeof value); }
	bool Skip(int64_t count) {
		if (count < 0 || count > left()) return false;
		file_.Skip(count);
		return true;
	}
	int64_t left() const { return file_.left(); }

private:
	ModelFile file_;
};

struct Parameters {
	int32_t vocab, audio_context, audio_state, audio_heads, audio_layers;
	int32_t text_context, text_state, text_heads, text_layers, mels, type;
};
static_assert(sizeof(Parameters) == 11 * sizeof(int32_t));

bool Within(int32_t value, int32_t low, int32_t high) { return value >= low && value <= high; }

/** What is wrong with the parameters; empty if they can be a Whisper model's. */
std::string CheckParameters(const Parameters& p) {
	const auto out = [](const char* name, int32_t value) {
		return std::string(name) + " is " + std::to_string(value);
	};
	// With other sizes special tokens are outside the vocabulary.
	if (!Within(p.vocab, 51864, 51866)) return out("n_vocab", p.vocab);
	// whisper.cpp hard-codes windows of 30 s.
	if (p.audio_context != 1500) return out("n_audio_ctx", p.audio_context);
	if (!Within(p.text_context, 64, 4096)) return out("n_text_ctx", p.text_context);
	if (!Within(p.audio_state, 16, 8192)) return out("n_audio_state", p.audio_state);
	if (p.text_state != p.audio_state) return out("n_text_state", p.text_state);
	if (!Within(p.audio_heads, 1, 256) || p.audio_state % p.audio_heads != 0) return out("n_audio_head", p.audio_heads);
	if (!Within(p.text_heads, 1, 256) || p.text_state % p.text_heads != 0) return out("n_text_head", p.text_heads);
	if (!Within(p.audio_layers, 1, 128)) return out("n_audio_layer", p.audio_layers);
	if (!Within(p.text_layers, 1, 128)) return out("n_text_layer", p.text_layers);
	if (p.mels != 80 && p.mels != 128) return out("n_mels", p.mels);
	return "";
}

/** The type of the large matrices, or GGML_TYPE_COUNT. `ftype` / 1000 is the version of the quantisation. */
ggml_type WeightType(int32_t ftype) {
	switch (ftype % 1000) {
		case 0: return GGML_TYPE_F32;
		case 1: return GGML_TYPE_F16;
		case 2: return GGML_TYPE_Q4_0;
		case 3: return GGML_TYPE_Q4_1;
		case 7: return GGML_TYPE_Q8_0;
		case 8: return GGML_TYPE_Q5_0;
		case 9: return GGML_TYPE_Q5_1;
		case 10: return GGML_TYPE_Q2_K;
		case 11: return GGML_TYPE_Q3_K;
		case 12: return GGML_TYPE_Q4_K;
		case 13: return GGML_TYPE_Q5_K;
		case 14: return GGML_TYPE_Q6_K;
		case 24: return GGML_TYPE_BF16;
		default: return GGML_TYPE_COUNT;
	}
}

/** Reads over the tensors until the end of the file. Returns what is wrong. */
std::string CheckTensors(Cursor& cursor, ggml_type weights, size_t expected) {
	const std::string truncated = "it ends too early";
	std::set<std::string> names;
	while (cursor.left() > 0) {
		int32_t dimensions = 0, length = 0, type = 0;
		if (!cursor.Int(dimensions) || !cursor.Int(length) || !cursor.Int(type)) return truncated;
		if (!Within(dimensions, 1, 4)) return "a tensor has " + std::to_string(dimensions) + " dimensions";
		if (!Within(length, 1, 128)) return "a tensor's name is " + std::to_string(length) + " bytes long";
		if (type != weights && type != GGML_TYPE_F32 && type != GGML_TYPE_F16 && type != GGML_TYPE_I32) {
			return "a tensor is of type " + std::to_string(type);
		}
		int64_t elements = 1;
		int32_t first = 0;
		for (int32_t i = 0; i < dimensions; i++) {
			int32_t count = 0;
			if (!cursor.Int(count)) return truncated;
			if (count < 1) return "a tensor has an empty dimension";
			if (i == 0) first = count;
			elements *= count;
			if (elements > INT32_MAX) return "a tensor is too large";
		}
		char name[129] = {};
		if (!cursor.Bytes(name, static_cast<size_t>(length))) return truncated;
		if (std::strlen(name) != static_cast<size_t>(length)) return "a tensor's name contains a NUL";
		const auto of = static_cast<ggml_type>(type);
		if (first % ggml_blck_size(of) != 0) return std::string(name) + " does not fit its quantisation";
		if (!cursor.Skip(elements / ggml_blck_size(of) * static_cast<int64_t>(ggml_type_size(of)))) return truncated;
		if (!names.insert(name).second) return std::string(name) + " appears twice";
	}
	if (names.size() != expected) {
		return "it holds " + std::to_string(names.size()) + " tensors, expected " + std::to_string(expected);
	}
	return "";
}

std::string CheckWhisperContents(Cursor& cursor) {
	const std::string truncated = "it ends too early";
	uint32_t magic = 0;
	if (!cursor.Bytes(&magic, sizeof magic) || magic != 0x67676d6c) return "it is not a ggml file of whisper.cpp";
	Parameters p{};
	if (!cursor.Bytes(&p, sizeof p)) return truncated;
	if (std::string fault = CheckParameters(p); !fault.empty()) return fault;
	const ggml_type weights = p.type < 0 ? GGML_TYPE_COUNT : WeightType(p.type);
	if (weights == GGML_TYPE_COUNT) return "ftype is " + std::to_string(p.type);
	if (p.audio_state % ggml_blck_size(weights) != 0) return "n_audio_state does not fit its quantisation";

	int32_t filter_mels = 0, filter_bins = 0;
	if (!cursor.Int(filter_mels) || !cursor.Int(filter_bins)) return truncated;
	if (filter_mels != p.mels || filter_bins != 201) return "its mel filters have a wrong shape";
	if (!cursor.Skip(int64_t{4} * filter_mels * filter_bins)) return truncated;

	int32_t tokens = 0;
	if (!cursor.Int(tokens)) return truncated;
	if (!Within(tokens, 1, p.vocab)) return "its vocabulary holds " + std::to_string(tokens) + " tokens";
	bool space = false;
	for (int32_t i = 0; i < tokens; i++) {
		int32_t length = 0;
		if (!cursor.Int(length)) return truncated;
		if (!Within(length, 0, 1024)) return "a token is " + std::to_string(length) + " bytes long";
		char token[1024];
		if (!cursor.Bytes(token, static_cast<size_t>(length))) return truncated;
		space = space || (length == 1 && token[0] == ' ');
	}
	// whisper.cpp looks it up for every clip and throws if it is missing.
	if (!space) return "its vocabulary has no space";

	// The loader allocates weights before it reads any, so check that the file is large enough for them.
	const int64_t square = int64_t{p.audio_state} * p.audio_state;
	const int64_t matrices = square * (int64_t{12} * p.audio_layers + int64_t{16} * p.text_layers) +
		int64_t{p.audio_state} * p.vocab;
	if (static_cast<double>(matrices) * static_cast<double>(ggml_type_size(weights)) / ggml_blck_size(weights) >
		static_cast<double>(cursor.left())) {
		return cursor.left() == 0 ? "it has no weights" : truncated;
	}

	return CheckTensors(cursor, weights,
		11 + size_t{15} * static_cast<size_t>(p.audio_layers) + size_t{24} * static_cast<size_t>(p.text_layers));
}

struct ParakeetParameters {
	int32_t vocab, audio_context, audio_state, audio_heads, audio_layers, mels, type, fft, subsampling, channels, kernel;
	int32_t prediction_state, prediction_layers, durations, tokens_per_frame;
};
static_assert(sizeof(ParakeetParameters) == 15 * sizeof(int32_t));

std::string CheckParakeetContents(Cursor& cursor) {
	const std::string truncated = "it ends too early";
	uint32_t magic = 0;
	if (!cursor.Bytes(&magic, sizeof magic) || magic != 0x67676d6c) return "it is not a ggml file of parakeet.cpp";
	ParakeetParameters p{};
	if (!cursor.Bytes(&p, sizeof p)) return truncated;
	struct Bound {
		const char* name;
		int32_t value, low, high;
	};
	// Bounds of later versions of the library, which the published models fit into.
	for (const auto& [name, value, low, high] : {Bound{"n_vocab", p.vocab, 1, 65536},
			 {"n_audio_ctx", p.audio_context, 64, 8192}, {"n_audio_state", p.audio_state, 8, 4096},
			 {"n_audio_head", p.audio_heads, 1, 64}, {"n_audio_layer", p.audio_layers, 1, 64}, {"n_mels", p.mels, 8, 256},
			 {"n_fft", p.fft, 512, 512}, {"subsampling_factor", p.subsampling, 8, 8},
			 {"n_subsampling_channels", p.channels, 1, 1024}, {"n_conv_kernel", p.kernel, 1, 63},
			 {"n_pred_dim", p.prediction_state, 1, 4096}, {"n_pred_layers", p.prediction_layers, 1, 2},
			 {"n_tdt_durations", p.durations, 1, 16}, {"n_max_tokens", p.tokens_per_frame, 1, 64}}) {
		if (!Within(value, low, high)) return std::string(name) + " is " + std::to_string(value);
	}
	if (p.audio_state % p.audio_heads != 0 || p.audio_state % 2 != 0) return "n_audio_head does not fit n_audio_state";
	if (p.kernel % 2 == 0) return "n_conv_kernel is " + std::to_string(p.kernel);
	const ggml_type weights = p.type < 0 ? GGML_TYPE_COUNT : WeightType(p.type);
	if (weights == GGML_TYPE_COUNT) return "ftype is " + std::to_string(p.type);

	int32_t filter_mels = 0, filter_bins = 0, window = 0, tokens = 0;
	if (!cursor.Int(filter_mels) || !cursor.Int(filter_bins)) return truncated;
	if (filter_mels != p.mels || filter_bins != p.fft / 2 + 1) return "its mel filters have a wrong shape";
	if (!cursor.Skip(int64_t{4} * filter_mels * filter_bins) || !cursor.Int(window)) return truncated;
	if (!Within(window, 1, p.fft)) return "its window has " + std::to_string(window) + " samples";
	if (!cursor.Skip(int64_t{4} * window)) return truncated;
	for (int32_t i = 0; i < p.durations; i++) {
		int32_t duration = 0;
		if (!cursor.Int(duration)) return truncated;
		if (!Within(duration, 0, 64)) return "a duration is " + std::to_string(duration);
	}
	if (!cursor.Int(tokens)) return truncated;
	// The blank's id follows the last token's.
	if (tokens != p.vocab) return "its vocabulary holds " + std::to_string(tokens) + " tokens";
	for (int32_t i = 0; i < tokens; i++) {
		int32_t length = 0;
		if (!cursor.Int(length)) return truncated;
		if (!Within(length, 0, 1024)) return "a token is " + std::to_string(length) + " bytes long";
		if (!cursor.Skip(length)) return truncated;
	}
	const double matrices = static_cast<double>(p.audio_state) * p.audio_state * 24 * p.audio_layers;
	if (matrices * static_cast<double>(ggml_type_size(weights)) / static_cast<double>(ggml_blck_size(weights)) >
		static_cast<double>(cursor.left())) {
		return cursor.left() == 0 ? "it has no weights" : truncated;
	}
	return CheckTensors(cursor, weights, 12 + size_t{29} * static_cast<size_t>(p.audio_layers) +
		(1 + size_t{3} * static_cast<size_t>(p.prediction_layers)) + 6);
}

template <class Check>
Expected<Done> CheckFile(const std::string& path, Check check) {
	auto file = ModelFile::Open(path);
	if (!file) return file.failure();
	Cursor cursor(std::move(*file));
	if (std::string fault = check(cursor); !fault.empty()) return Failure{"model_load_failed", path + ": " + fault};
	return Done{};
}

}  // namespace

Expected<Done> CheckWhisperFile(const std::string& path) { return CheckFile(path, CheckWhisperContents); }
Expected<Done> CheckParakeetFile(const std::string& path) { return CheckFile(path, CheckParakeetContents); }

}  // namespace earshot
