// whisper.cpp, unmodified, in one translation unit with the functions that access its internals.
#include <ggml.h>

#ifndef EARSHOT_GPU
// With flash attention whisper.cpp pads keys and values to a multiple of 256 rows, and attends to the padding, which holds
// data of earlier clips. The CPU's kernels take any number of rows, so turn padding off.
#undef GGML_PAD
#define GGML_PAD(x, n) ((x) + (n) - (n))  // of the same type as the original
#endif

#include <ggml-backend.h>
#include <whisper.h>

#include "whisper/upstream/calls.h"

#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

// These overloads win over whisper.cpp's scalar ones, since its arguments are not const: those take 0.6 ms per token.
static void whisper_compute_logprobs(std::vector<float>& logits, int count, std::vector<float>& logprobs);
static void whisper_compute_probs(
	std::vector<float>& logits, int count, std::vector<float>& logprobs, std::vector<float>& probabilities);

// Enables its interface for external encoders, which encoder.cc implements.
#define WHISPER_USE_OPENVINO
// Redirects eight of its calls: see calls.h.
#define ggml_backend_tensor_get ::earshot::upstream::GetTensor
#define ggml_backend_buffer_clear ::earshot::upstream::ClearBuffer
#define ggml_backend_sched_graph_compute ::earshot::upstream::Compute
#define ggml_flash_attn_ext ::earshot::upstream::FlashAttention
#define ggml_build_forward_expand ::earshot::upstream::Expand
#define ggml_mul_mat ::earshot::upstream::MultiplyMatrices
#define ggml_get_rows ::earshot::upstream::LookUp
#define ggml_backend_reg_get_proc_address ::earshot::upstream::FindProcedure
#include <whisper.cpp>
#undef ggml_backend_tensor_get
#undef ggml_backend_buffer_clear
#undef ggml_backend_sched_graph_compute
#undef ggml_flash_attn_ext
#undef ggml_build_forward_expand
#undef ggml_mul_mat
#undef ggml_get_rows
#undef ggml_backend_reg_get_proc_address

#include "whisper/upstream/upstream.h"

extern "C" double ggml_vec_soft_max_f32(int count, float* exponentials, const float* numbers, float greatest);

void whisper_compute_logprobs(std::vector<float>& logits, int count, std::vector<float>& logprobs) {
	const float greatest = *std::max_element(logits.begin(), logits.end());
	const double sum = ggml_vec_soft_max_f32(count, logprobs.data(), logits.data(), greatest);
	// All logits are -infinity, or one is NaN.
	if (!std::isfinite(sum)) return whisper_compute_logprobs(std::as_const(logits), count, logprobs);
	const float log_sum = static_cast<float>(std::log(sum)) + greatest;
	std::transform(logits.begin(), logits.begin() + count, logprobs.begin(), [&](float logit) { return logit - log_sum; });
}

void whisper_compute_probs(
	std::vector<float>&, int count, std::vector<float>& logprobs, std::vector<float>& probabilities) {
	ggml_vec_soft_max_f32(count, probabilities.data(), logprobs.data(), 0);
}

namespace earshot::upstream {

// ---- calls ------------------------------------------------------------------------------------

/**
 * For a prompt whisper.cpp computes the logits of every position, each as expensive as a token, but reads only the last
 * ones. This computes the last ones and, before them, those at <|startoftranscript|>.
 */
ggml_tensor* MultiplyMatrices(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows) {
	DecodeHooks* const hooks = DecodeHooks::Current();
	if (hooks == nullptr || weights != hooks->context_->model.d_te) return Multiply(context, weights, rows);
	hooks->prompt_logits_ = nullptr;
	const whisper_batch& batch = hooks->state_->batch;
	const int last = batch.n_tokens - 1;
	const bool last_only = last > 0 && rows->ne[1] == batch.n_tokens && batch.logits[last] != 0 &&
		std::all_of(batch.logits, batch.logits + last, [](int8_t wanted) { return wanted == 0; });
	if (!last_only) return Multiply(context, weights, rows);
	const auto row = [&](int64_t index) {
		return ggml_view_2d(context, rows, rows->ne[0], 1, rows->nb[1], rows->nb[1] * static_cast<size_t>(index));
	};
	const auto start = std::find(batch.token, batch.token + last, hooks->start_token_) - batch.token;
	ggml_tensor* wanted = start == last ? row(last) : ggml_concat(context, row(start), row(last), 1);
	hooks->prompt_logits_ = Multiply(context, weights, wanted);
	return hooks->prompt_logits_;
}

/** Before each attempt whisper.cpp clears the self-attention cache. Graphs do not read free cells, so keep the prompt's
 * cells for the next attempt. */
void ClearBuffer(ggml_backend_buffer_t buffer, uint8_t value) {
	DecodeHooks* const hooks = DecodeHooks::Current();
	const bool keeps = hooks != nullptr && buffer == hooks->state_->kv_self.buffer && !hooks->prompt_.tokens.empty() &&
		hooks->prompt_.cells == hooks->state_->kv_self.size;
	if (!keeps) ggml_backend_buffer_clear(buffer, value);
}

/** Skips the prompt of an attempt if the previous attempt had the same. */
static ggml_status Decode(DecodeHooks& hooks, ggml_backend_sched_t sched, ggml_cgraph* graph) {
	const whisper_state& state = *hooks.state_;
	const whisper_batch& batch = state.batch;
	const auto count = static_cast<size_t>(batch.n_tokens);
	Prompt& prompt = hooks.prompt_;
	// On other devices free cells are read, too.
	const bool begins = batch.pos[0] == 0 && state.kv_self.head == 0 && hooks.capture_ == nullptr && OnProcessor(&state);
	prompt.again = begins && prompt.cells == state.kv_self.size &&
		std::equal(prompt.tokens.begin(), prompt.tokens.end(), batch.token, batch.token + count);
	prompt.logits = begins ? ggml_graph_node(graph, -1) : nullptr;
	if (prompt.again) return GGML_STATUS_SUCCESS;
	// Its cells are about to be overwritten.
	if (state.kv_self.head < prompt.tokens.size()) prompt.tokens.clear();
	hooks.decoded_ += count;
	const ggml_status status = hooks.batcher_ != nullptr
		? hooks.batcher_->Compute(state.backends.front(), graph)
		: ggml_backend_sched_graph_compute(sched, graph);
	if (status != GGML_STATUS_SUCCESS) return status;
	if (begins) {
		prompt.tokens.assign(batch.token, batch.token + count);
		prompt.cells = state.kv_self.size;
	}
	if (hooks.capture_ == nullptr) return status;
	Attention& attention = hooks.capture_->attention;
	for (ggml_tensor* weights : hooks.capture_->tensors) {
		const size_t before = attention.weights.size();
		attention.weights.resize(before + static_cast<size_t>(ggml_nelements(weights)));
		ggml_backend_tensor_get(weights, attention.weights.data() + before, 0, ggml_nbytes(weights));
		attention.heads++;
	}
	return status;
}

/**
 * Language detection encodes the first window, and transcription would encode it again. The result stays in the
 * cross-attention cache, so the second time is skipped.
 */
ggml_status Compute(ggml_backend_sched_t sched, ggml_cgraph* graph) {
	DecodeHooks* const hooks = DecodeHooks::Current();
	if (hooks == nullptr) return ggml_backend_sched_graph_compute(sched, graph);
	const whisper_state& state = *hooks->state_;
	const bool cross = sched == state.sched_cross.sched;
	// Another window: the prompt in the cache attends to the previous one.
	if (cross) hooks->prompt_.tokens.clear();
	// Otherwise the decoder would read the previous window.
	if (cross && hooks->failure_) return GGML_STATUS_FAILED;
	if (cross && std::exchange(hooks->crossed_, false)) return GGML_STATUS_SUCCESS;
	if (hooks->encoded_ && (cross || sched == state.sched_conv.sched || sched == state.sched_encode.sched)) {
		if (cross) hooks->encoded_ = false;
		return GGML_STATUS_SUCCESS;
	}
	if (sched == state.sched_decode.sched) return Decode(*hooks, sched, graph);
	return ggml_backend_sched_graph_compute(sched, graph);
}

// ---- access -----------------------------------------------------------------------------------

namespace {

ggml_backend_t Cpu(whisper_state* state) {
	// whisper_backend_init always puts it last.
	ggml_backend_t backend = state->backends.back();
	return ggml_backend_is_cpu(backend) ? backend : nullptr;
}

}  // namespace

const std::map<std::string, ggml_tensor*>& Tensors(const whisper_context* context) { return context->model.tensors; }

const std::vector<ggml_backend_buffer_t>& WeightBuffers(const whisper_context* context) {
	return context->model.buffers;
}

std::vector<Head> HeadsOf(whisper_alignment_heads_preset preset) {
	const whisper_aheads& table = g_aheads.at(preset);
	std::vector<Head> heads;
	for (size_t i = 0; i < table.n_heads; i++) heads.push_back({table.heads[i].n_text_layer, table.heads[i].n_head});
	return heads;
}

bool CrossIsHalf(const whisper_context* context) {
	const whisper_hparams& shape = context->model.hparams;
	return context->params.flash_attn && context->itype == GGML_TYPE_F16 && shape.n_text_state == shape.n_audio_state;
}

void SetExternalEncoder(whisper_state* state, whisper_openvino_context* encoder) { state->ctx_openvino = encoder; }

CrossCache CrossOf(const whisper_state* state) { return {state->kv_cross.k, state->kv_cross.v}; }

size_t CrossStride(const ggml_tensor* encoded) {
	// As in whisper_build_graph_cross.
	return static_cast<size_t>(GGML_PAD(encoded->ne[1], 256) * encoded->ne[0]);
}

bool DecodeFromStart(
	whisper_context* context, whisper_state* state, const std::vector<whisper_token>& tokens, int threads) {
	whisper_kv_cache_clear(state->kv_self);
	whisper_batch_prep_legacy(state->batch, tokens.data(), static_cast<int>(tokens.size()), 0, 0);
	return whisper_decode_internal(*context, *state, state->batch, threads, false, nullptr, nullptr);
}

std::vector<float> DetectLanguage(whisper_context* context, DecodeHooks& by, int threads) {
	std::vector<float> probabilities(static_cast<size_t>(whisper_lang_max_id()) + 1, 0.0F);
	if (whisper_lang_auto_detect_with_state(context, by.state_, 0, threads, probabilities.data()) < 0) return {};
	by.encoded_ = true;
	// Its softmax includes one language too many: in models without Cantonese that is the translate token. Use the logits.
	for (size_t id = 0; id < probabilities.size(); id++) {
		const auto token = static_cast<size_t>(whisper_token_lang(context, static_cast<int>(id)));
		probabilities[id] = by.state_->logits[token];
	}
	return probabilities;
}

MelFilters FiltersOf(const whisper_context* context) {
	const whisper_filters& filters = context->model.filters;
	return MelFilters(filters.data.data(), static_cast<size_t>(filters.n_mel));
}

void SetMel(whisper_state* state, LogMel mel, size_t samples) {
	state->mel.n_len = static_cast<int>(mel.frames);
	state->mel.n_mel = static_cast<int>(mel.values.size() / mel.frames);
	// As in log_mel_spectrogram: the clip's length for whisper_full.
	state->mel.n_len_org = 1 + (static_cast<int>(samples) - WHISPER_N_FFT / 2) / WHISPER_HOP_LENGTH;
	state->mel.data = std::move(mel.values);
}

void SetAudioContext(whisper_state* state, int positions) { state->exp_n_audio_ctx = positions; }

std::vector<float> Encoded(whisper_context* context, DecodeHooks& by) {
	if (whisper_encode_with_state(context, by.state_, 0, by.threads_) != 0) return {};
	std::vector<float> made(static_cast<size_t>(ggml_nelements(by.state_->embd_enc)));
	ggml_backend_tensor_get(by.state_->embd_enc, made.data(), 0, made.size() * sizeof(float));
	return made;
}

void SetThreadPool(whisper_state* state, ggml_threadpool* pool) {
	if (ggml_backend_t cpu = Cpu(state)) ggml_backend_cpu_set_threadpool(cpu, pool);
}

void SetAbort(whisper_state* state, ggml_abort_callback abort, void* data) {
	if (ggml_backend_t cpu = Cpu(state)) ggml_backend_cpu_set_abort_callback(cpu, abort, data);
}

void Reseed(whisper_state* state) { state->decoders[0].rng = std::mt19937(0); }

int FailedDecodes(const whisper_state* state) { return state->n_fail_p; }

int DecoderOf(const whisper_state* state, const whisper_token_data* tokens) {
	for (int decoder = 0; decoder < WHISPER_MAX_DECODERS; decoder++) {
		if (state->decoders[decoder].sequence.tokens.data() == tokens) return decoder;
	}
	return -1;
}

std::pair<int, size_t> OriginOf(const whisper_state* state, int index) {
	const auto& segment = state->result_all[static_cast<size_t>(index)].tokens;
	const auto same = [](const whisper_token_data& a, const whisper_token_data& b) {
		return a.id == b.id && a.plog == b.plog;
	};
	for (int decoder = 0; decoder < WHISPER_MAX_DECODERS && !segment.empty(); decoder++) {
		const auto& tokens = state->decoders[decoder].sequence.tokens;
		const auto found = std::search(tokens.begin(), tokens.end(), segment.begin(), segment.end(), same);
		if (found != tokens.end()) return {decoder, static_cast<size_t>(found - tokens.begin())};
	}
	return {-1, 0};
}

double SumOfLogprobs(const whisper_state* state, int decoder) {
	return state->decoders[decoder].sequence.sum_logprobs_all;
}

const std::vector<whisper_token_data>& TokensOf(const whisper_state* state, int decoder) {
	return state->decoders[decoder].sequence.tokens;
}

const std::vector<float>& LastLogprobs(const whisper_state* state, int decoder) {
	return state->decoders[decoder].logprobs;
}

void FailDecoder(whisper_state* state, int decoder) { state->decoders[decoder].failed = true; }

std::string_view TokenBytes(const whisper_context* context, int token) {
	const auto found = context->vocab.id_to_token.find(token);
	return found == context->vocab.id_to_token.end() ? std::string_view() : std::string_view(found->second);
}

uint64_t StateBytes(const whisper_context* context) {
	const whisper_hparams& shape = context->model.hparams;
	const auto positions = static_cast<uint64_t>(shape.n_audio_ctx + shape.n_text_ctx);
	// Keys and values.
	return 2 * ggml_type_size(context->itype) * static_cast<uint64_t>(shape.n_text_state * shape.n_text_layer) * positions;
}

bool OnProcessor(const whisper_state* state) {
	return state->backends.size() == 1 && ggml_backend_is_cpu(state->backends.front());
}

std::string DecoderType(const whisper_context* context) { return ggml_type_name(context->model.d_te->type); }

int LanguageCount(const whisper_context* context) {
	return context->vocab.is_multilingual() ? context->vocab.num_languages() : 0;
}

}  // namespace earshot::upstream
