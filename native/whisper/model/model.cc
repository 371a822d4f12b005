#include "whisper/model/model.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "core/log.h"
#include "kernels/f16_matrix.h"
#include "ort/ort.h"
#include "whisper/model/model_file.h"
#include "whisper/model/shared_weights.h"
#include "whisper/upstream/cross_attention.h"
#include "whisper/upstream/encoder.h"
#include "whisper/upstream/upstream.h"
#include "whisper/upstream/weights.h"

namespace earshot {

namespace {

/** With larger batches, clips wait longer for each other than they gain by sharing reads of the weights. */
constexpr int kMaxBatch = 4;
/** Bound of the caches of a batch. */
constexpr uint64_t kBatchBytes = uint64_t{128} << 20;

void LogLine(ggml_log_level level, const char* text, void*) {
	std::string line(text);
	while (!line.empty() && line.back() == '\n') line.pop_back();
	if (line.empty()) return;
	switch (level) {
		case GGML_LOG_LEVEL_ERROR: return Log(LogLevel::kError, std::move(line));
		case GGML_LOG_LEVEL_WARN: return Log(LogLevel::kWarn, std::move(line));
		case GGML_LOG_LEVEL_INFO: return Log(LogLevel::kInfo, std::move(line));
		default: return Log(LogLevel::kDebug, std::move(line));
	}
}

}  // namespace

Expected<std::unique_ptr<WhisperModel>> WhisperModel::Load(const WhisperLoad& load) {
	static std::once_flag once;
	std::call_once(once, [] {
		ggml_log_set(LogLine, nullptr);
		whisper_log_set(LogLine, nullptr);
	});
	whisper_context_params params = whisper_context_default_params();
	params.use_gpu = load.use_gpu;
	params.gpu_device = load.gpu_device;
	params.flash_attn = true;
	auto file = ModelFile::Open(load.path);
	if (!file) return file.failure();
	auto loader = file->For<whisper_model_loader>();
	std::optional<upstream::PlainWeights> plain;
	if (load.integers) plain.emplace();
	Context context(whisper_init_with_params_no_state(&loader, params));
	if (!context) return Failure{"model_load_failed", "whisper.cpp refused " + load.path};
	std::shared_ptr<const IntEncoder> integers;
	if (load.integers) {
		const bool bytes = load.quantise_decoder || upstream::DecoderType(context.get()) == "q8_0";
		auto made = upstream::MakeIntEncoder(context.get(), *load.integers, bytes ? Integers::k8 : Integers::k16);
		if (!made) return made.failure();
		integers = std::move(*made);
	}
	std::unique_ptr<WhisperModel> model(new WhisperModel(std::move(context), load, std::move(integers)));
	if (std::string problem = model->CheckHeads(); !problem.empty()) {
		return Failure{"model_load_failed", load.path + ": " + problem};
	}
	return model;
}

WhisperModel::WhisperModel(Context context, const WhisperLoad& load, std::shared_ptr<const IntEncoder> encoder)
	: filters(upstream::FiltersOf(context.get())), sessions(load.encoders), integers(std::move(encoder)),
	  max_threads(load.max_threads), context_(std::move(context)) {
	info.size = whisper_model_type_readable(context_.get());
	ReadLanguages();
	PrepareWeights(load);
	info.decoder = upstream::DecoderType(context_.get());
	info.max_batched_clips = BatchSize();
	if (integers) info.encoder = integers->integers() == Integers::k16 ? "int16" : "int8";
	else info.encoder = sessions.empty() ? "ggml" : "onnxruntime " + sessions.front()->runtime().version();
	for (size_t i = 0; i + 1 < load.alignment_heads.size(); i += 2) {
		heads.push_back({load.alignment_heads[i], load.alignment_heads[i + 1]});
	}
	if (heads.empty()) heads = upstream::AlignmentHeads(context_.get());
	info.aligns_words = !heads.empty();
}

void WhisperModel::ReadLanguages() {
	const int languages = upstream::LanguageCount(context_.get());
	info.multilingual = languages > 0;
	for (int id = 0; id < languages; id++) {
		if (const char* code = whisper_lang_str(id)) info.languages.emplace_back(code);
	}
	if (!info.multilingual) info.languages.emplace_back("en");
}

bool WhisperModel::Knows(const std::string& language) const {
	return std::find(info.languages.begin(), info.languages.end(), language) != info.languages.end();
}

/** Shrinks what the decoder reads, and releases weights that nothing reads. */
void WhisperModel::PrepareWeights(const WhisperLoad& load) {
	// The integer encoder has its own copy of the cross-attention weights.
	const bool cross = integers == nullptr;
	info.weight_bytes = upstream::WeightBytes(context_.get());
	info.device = upstream::WeightDevice(context_.get());
	if (load.quantise_decoder && info.device == "CPU") {
		info.weight_bytes -= upstream::QuantiseDecoder(context_.get(), cross);
	}
	if (info.device == "CPU") matrices = upstream::Interleave(context_.get(), cross);
	if (matrices) {
		info.weight_bytes += matrices->bytes() - upstream::ReleaseInterleaved(context_.get(), *matrices);
	}
	if (integers) info.weight_bytes += integers->bytes();
	const bool encoder = integers == nullptr && sessions.empty();
	if (!encoder) {
		info.weight_bytes -= upstream::ReleaseEncoderWeights(context_.get(), !cross);
	}
	if (!load.weights_dir.empty() && info.device == "CPU") {
		shared_ = ShareWeights(
			load.weights_dir, upstream::WeightsInUse(context_.get(), matrices.get(), encoder, cross), matrices.get());
	}
	if (!shared_) upstream::UseHugePagesForDecoder(context_.get(), matrices.get());
}

/** Clips per batch: limited by the kernels, and by memory for the caches of each clip in each slot. */
int WhisperModel::BatchSize() const {
	const bool halves = info.device == "CPU" && info.decoder == "f16" &&
		CanMultiply(static_cast<size_t>(whisper_model_n_text_state(context())));
	if (!halves && !matrices) return 1;
	return std::clamp(static_cast<int>(kBatchBytes / upstream::StateBytes(context())), 1, kMaxBatch);
}

/** What is wrong with the alignment heads; empty if nothing is. */
std::string WhisperModel::CheckHeads() const {
	for (const upstream::Head& head : heads) {
		if (head.layer < 0 || head.layer >= whisper_model_n_text_layer(context()) || head.head < 0 ||
			head.head >= whisper_model_n_text_head(context())) {
			return "it has no head " + std::to_string(head.head) + " in layer " + std::to_string(head.layer);
		}
	}
	return "";
}

}  // namespace earshot
