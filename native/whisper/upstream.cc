// whisper.cpp as one translation unit with the few functions that reach into it. The upstream file is not edited.
#include <ggml.h>

#ifndef EARSHOT_GPU
// whisper.cpp rounds the rows of keys and values up to 256 under flash attention and attends to the padding as
// well, which holds what the state ran before. The CPU's kernels take any number of rows, so nothing is padded.
#undef GGML_PAD
#define GGML_PAD(x, n) ((x) + (n) - (n))  // the type that the macro had
#endif

#include <ggml-backend.h>
#include <whisper.h>

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace earshot::internals {
static void GetTensor(const ggml_tensor* tensor, void* data, size_t offset, size_t size);
static void ClearBuffer(ggml_backend_buffer_t buffer, uint8_t value);
static ggml_status Compute(ggml_backend_sched_t sched, ggml_cgraph* graph);
static ggml_tensor* FlashAttention(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale, float max_bias, float softcap);
static void Expand(ggml_cgraph* graph, ggml_tensor* tensor);
static ggml_tensor* MultiplyMatrices(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows);
static ggml_tensor* LookUp(ggml_context* context, ggml_tensor* table, ggml_tensor* numbers);
static void* FindProcedure(ggml_backend_reg_t library, const char* name);
}  // namespace earshot::internals

// Called instead of whisper.cpp's own two, for the vectors it gives them are not const: theirs take 0.6 ms of each token,
// one number after the other.
static void whisper_compute_logprobs(std::vector<float>& logits, int count, std::vector<float>& logprobs);
static void whisper_compute_probs(
	std::vector<float>& logits, int count, std::vector<float>& logprobs, std::vector<float>& probabilities);

// Its door for an encoder that is not its own; ours is below.
#define WHISPER_USE_OPENVINO
// Eight of its calls go through us; see below what for.
#define ggml_backend_tensor_get ::earshot::internals::GetTensor
#define ggml_backend_buffer_clear ::earshot::internals::ClearBuffer
#define ggml_backend_sched_graph_compute ::earshot::internals::Compute
#define ggml_flash_attn_ext ::earshot::internals::FlashAttention
#define ggml_build_forward_expand ::earshot::internals::Expand
#define ggml_mul_mat ::earshot::internals::MultiplyMatrices
#define ggml_get_rows ::earshot::internals::LookUp
#define ggml_backend_reg_get_proc_address ::earshot::internals::FindProcedure
#include <whisper.cpp>
#undef ggml_backend_tensor_get
#undef ggml_backend_buffer_clear
#undef ggml_backend_sched_graph_compute
#undef ggml_flash_attn_ext
#undef ggml_build_forward_expand
#undef ggml_mul_mat
#undef ggml_get_rows
#undef ggml_backend_reg_get_proc_address

#include "ort/ort.h"
#include "whisper/internals.h"

/** Belongs to one state. */
struct whisper_openvino_context {
	/** By rising numbers of threads; none where there is the other. */
	std::vector<earshot::ort::Session::Pass> passes;
	std::shared_ptr<const earshot::IntEncoder> integers;
};

extern "C" double ggml_vec_soft_max_f32(int count, float* exponentials, const float* numbers, float greatest);

void whisper_compute_logprobs(std::vector<float>& logits, int count, std::vector<float>& logprobs) {
	const float greatest = *std::max_element(logits.begin(), logits.end());
	const double sum = ggml_vec_soft_max_f32(count, logprobs.data(), logits.data(), greatest);
	// All is forbidden, or not a number.
	if (!std::isfinite(sum)) return whisper_compute_logprobs(std::as_const(logits), count, logprobs);
	const float log_sum = static_cast<float>(std::log(sum)) + greatest;
	std::transform(logits.begin(), logits.begin() + count, logprobs.begin(), [&](float logit) { return logit - log_sum; });
}

void whisper_compute_probs(
	std::vector<float>&, int count, std::vector<float>& logprobs, std::vector<float>& probabilities) {
	ggml_vec_soft_max_f32(count, probabilities.data(), logprobs.data(), 0);
}

namespace earshot::internals {

// ---- repairs -----------------------------------------------------------------------------------

/** The run that this thread is in, if any. */
static thread_local DecodeHooks* hooks = nullptr;

DecodeHooks::DecodeHooks(whisper_context* context, whisper_state* state, const Q8Matrices* matrices, int threads,
	const Cancel& cancel, DecodeBatcher* together)
	: context_(context), state_(state), matrices_(matrices), start_token_(whisper_token_sot(context)), threads_(threads),
	  cancel_(cancel), together_(together) {
	hooks = this;
}
DecodeHooks::~DecodeHooks() { hooks = nullptr; }

static thread_local bool plain_weights = false;

PlainWeights::PlainWeights() { plain_weights = true; }
PlainWeights::~PlainWeights() { plain_weights = false; }

/** By this one whisper.cpp asks for the further kinds of buffers of the processor. */
void* FindProcedure(ggml_backend_reg_t library, const char* name) {
	if (plain_weights && std::string_view(name) == "ggml_backend_dev_get_extra_bufts") return nullptr;
	return ggml_backend_reg_get_proc_address(library, name);
}

/** What stands for the weights; nullptr where they stand for themselves. */
static const Q8Matrix* Interleaved(const ggml_tensor* weights) {
	return hooks == nullptr || hooks->matrices_ == nullptr ? nullptr : hooks->matrices_->Find(weights);
}

ggml_tensor* LookUp(ggml_context* context, ggml_tensor* table, ggml_tensor* numbers) {
	const Q8Matrix* matrix = Interleaved(table);
	return matrix == nullptr ? ggml_get_rows(context, table, numbers) : LookUpRows(context, *matrix, numbers);
}

static ggml_tensor* Multiply(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows) {
	const Q8Matrix* matrix = Interleaved(weights);
	return matrix == nullptr ? ggml_mul_mat(context, weights, rows) : MultiplyRows(context, *matrix, rows);
}

/**
 * Of a prompt whisper.cpp computes the logits of every row, each as much work as a token, and reads the last. Ours has
 * that one, and before it the one at <|startoftranscript|>.
 */
ggml_tensor* MultiplyMatrices(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows) {
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

/**
 * whisper.cpp takes the probability of no speech from the first row of the prompt's logits but fetches the last
 * row only: it reads whatever was there. OpenAI's is at <|startoftranscript|>, so that row is put there.
 */
static void ReadLogits(const ggml_tensor* tensor, void* data, size_t offset, size_t size) {
	if (tensor != hooks->prompt_logits_) {
		ggml_backend_tensor_get(tensor, data, offset, size);
		return;
	}
	// Asked for is the last row of as many as the prompt has tokens.
	const auto last = static_cast<size_t>(tensor->ne[1]) - 1;
	ggml_backend_tensor_get(tensor, data, last * size, size);
	auto* first_row = reinterpret_cast<float*>(static_cast<char*>(data) - offset);
	auto* second_row = first_row + tensor->ne[0];
	auto* last_row = static_cast<float*>(data);
	auto* end = last_row + tensor->ne[0];
	ggml_backend_tensor_get(tensor, first_row, 0, size);
	// Its softmax subtracts the greatest of all rows: far above the first row's own, that row would vanish in it. The
	// rows between are what an earlier prompt may have left there.
	std::fill(second_row, last_row, -INFINITY);
	const float shift = *std::max_element(last_row, end) - *std::max_element(first_row, second_row);
	if (shift > 0 && std::isfinite(shift)) {
		for (float* logit = first_row; logit < second_row; logit++) *logit += shift;
	}
}

/** Of a prompt that was left out, what was read when it was computed. */
void GetTensor(const ggml_tensor* tensor, void* data, size_t offset, size_t size) {
	if (hooks == nullptr) return ggml_backend_tensor_get(tensor, data, offset, size);
	Prompt& prompt = hooks->prompt_;
	if (tensor != prompt.logits) return ReadLogits(tensor, data, offset, size);
	auto* first_row = reinterpret_cast<float*>(static_cast<char*>(data) - offset);
	auto* last_row = static_cast<float*>(data);
	const size_t count = size / sizeof(float);
	if (prompt.again) {
		std::fill(first_row, last_row, -INFINITY);
		std::copy(prompt.first.begin(), prompt.first.end(), first_row);
		std::copy(prompt.last.begin(), prompt.last.end(), last_row);
	} else {
		ReadLogits(tensor, data, offset, size);
		prompt.first.assign(first_row, first_row + count);
		prompt.last.assign(last_row, last_row + count);
	}
}

/** whisper.cpp forgets which cells of the self-attention cache are taken, and zeroes them, before each attempt. No
 * graph reads a cell that is not taken, and what the prompt has left in the first ones may serve again. */
void ClearBuffer(ggml_backend_buffer_t buffer, uint8_t value) {
	const bool keeps = hooks != nullptr && buffer == hooks->state_->kv_self.buffer && !hooks->prompt_.tokens.empty() &&
		hooks->prompt_.cells == hooks->state_->kv_self.size;
	if (!keeps) ggml_backend_buffer_clear(buffer, value);
}

/** Within DecodeHooks. The prompt of an attempt is left out where the attempt before began with the same. */
static ggml_status Decode(ggml_backend_sched_t sched, ggml_cgraph* graph) {
	const whisper_state& state = *hooks->state_;
	const whisper_batch& batch = state.batch;
	const auto count = static_cast<size_t>(batch.n_tokens);
	Prompt& prompt = hooks->prompt_;
	// Elsewhere the cells that are not taken are read too.
	const bool begins = batch.pos[0] == 0 && state.kv_self.head == 0 && hooks->capture_ == nullptr && OnProcessor(&state);
	prompt.again = begins && prompt.cells == state.kv_self.size &&
		std::equal(prompt.tokens.begin(), prompt.tokens.end(), batch.token, batch.token + count);
	prompt.logits = begins ? ggml_graph_node(graph, -1) : nullptr;
	if (prompt.again) return GGML_STATUS_SUCCESS;
	// Its cells are written anew.
	if (state.kv_self.head < prompt.tokens.size()) prompt.tokens.clear();
	hooks->decoded_ += count;
	const ggml_status status = hooks->together_ != nullptr
		? hooks->together_->Compute(state.backends.front(), graph)
		: ggml_backend_sched_graph_compute(sched, graph);
	if (status != GGML_STATUS_SUCCESS) return status;
	if (begins) {
		prompt.tokens.assign(batch.token, batch.token + count);
		prompt.cells = state.kv_self.size;
	}
	if (hooks->capture_ == nullptr) return status;
	Attention& attention = hooks->capture_->attention;
	for (ggml_tensor* weights : hooks->capture_->tensors) {
		const size_t before = attention.weights.size();
		attention.weights.resize(before + static_cast<size_t>(ggml_nelements(weights)));
		ggml_backend_tensor_get(weights, attention.weights.data() + before, 0, ggml_nbytes(weights));
		attention.heads++;
	}
	return status;
}

/**
 * Language detection encodes the first window, and the transcription encodes it again to the same result. What the
 * decoder reads of it stays in the state's cross-attention cache, so the second time is left out.
 */
ggml_status Compute(ggml_backend_sched_t sched, ggml_cgraph* graph) {
	if (hooks == nullptr) return ggml_backend_sched_graph_compute(sched, graph);
	const whisper_state& state = *hooks->state_;
	const bool cross = sched == state.sched_cross.sched;
	// What was decoded looks at the window before.
	if (cross) hooks->prompt_.tokens.clear();
	// Else the decoder would read what the window before has left.
	if (cross && hooks->failure_) return GGML_STATUS_FAILED;
	if (cross && std::exchange(hooks->crossed_, false)) return GGML_STATUS_SUCCESS;
	if (hooks->encoded_ && (cross || sched == state.sched_conv.sched || sched == state.sched_encode.sched)) {
		if (cross) hooks->encoded_ = false;
		return GGML_STATUS_SUCCESS;
	}
	if (sched == state.sched_decode.sched) return Decode(sched, graph);
	return ggml_backend_sched_graph_compute(sched, graph);
}

static Expected<Done> EncodeInIntegers(const IntEncoder& encoder, const ggml_tensor* mel, ggml_tensor* out) {
	const whisper_kv_cache& cross = hooks->state_->kv_cross;
	// As whisper_build_graph_cross has it.
	const auto stride = static_cast<size_t>(GGML_PAD(out->ne[1], 256) * out->ne[0]);
	const CrossAttention made{static_cast<uint16_t*>(cross.k->data), static_cast<uint16_t*>(cross.v->data), stride};
	Expected<Done> encoded = encoder.Run(static_cast<const float*>(mel->data), static_cast<size_t>(out->ne[1]),
		static_cast<float*>(out->data), made, hooks->threads_, hooks->cancel_);
	hooks->crossed_ = static_cast<bool>(encoded);
	return encoded;
}

static Expected<Done> EncodeBySession(
	std::vector<ort::Session::Pass>& passes, const ggml_tensor* mel, ggml_tensor* out) {
	const auto enough = std::find_if(passes.begin(), passes.end(),
		[](const ort::Session::Pass& pass) { return pass.threads() >= hooks->threads_; });
	ort::Session::Pass& pass = enough == passes.end() ? passes.back() : *enough;
	const auto view = [](const char* name, const ggml_tensor* tensor) {
		return ort::Session::Tensor{name, static_cast<float*>(tensor->data), {1, tensor->ne[1], tensor->ne[0]}};
	};
	return pass.Run({view("in", mel)}, {view("out", out)}, hooks->cancel_);
}

/** Only ever within DecodeHooks. The tensors are inputs of a graph, which the scheduler puts on the CPU. */
static void Encode(whisper_openvino_context& encoder, ggml_tensor* mel, ggml_tensor* out) {
	// What it would make is in the cross-attention cache; Compute sees to the rest.
	if (hooks->encoded_) return;
	const ggml_tensor* cross = hooks->state_->kv_cross.k;
	if (!ggml_backend_buffer_is_host(mel->buffer) || !ggml_backend_buffer_is_host(out->buffer) ||
		(encoder.integers && !ggml_backend_buffer_is_host(cross->buffer))) {
		hooks->failure_ = {"engine_failed", "whisper.cpp has put its encoder's input on another device"};
		return;
	}
	const Expected<Done> encoded =
		encoder.integers ? EncodeInIntegers(*encoder.integers, mel, out) : EncodeBySession(encoder.passes, mel, out);
	if (!encoded) hooks->failure_ = encoded.failure();
}

Expected<std::shared_ptr<const IntEncoder>> MakeIntEncoder(
	const whisper_context* context, Integers integers, Integers decoder) {
	const whisper_hparams& shape = context->model.hparams;
	// Where it is to write what the decoder reads.
	if (!context->params.flash_attn || context->itype != GGML_TYPE_F16 || shape.n_text_state != shape.n_audio_state) {
		return Failure{"model_load_failed", "the decoder's cross-attention is not as expected"};
	}
	const auto size = [](int32_t value) { return static_cast<size_t>(value); };
	const bool both = integers == Integers::k8 && decoder == Integers::k8;
	return IntEncoder::Make(integers, both ? Integers::k8 : Integers::k16,
		{size(shape.n_mels), size(shape.n_audio_ctx), size(shape.n_audio_state), size(shape.n_audio_head),
			size(shape.n_audio_layer), size(shape.n_text_layer)},
		[&](const std::string& name) -> const ggml_tensor* {
			const auto found = context->model.tensors.find(name);
			return found == context->model.tensors.end() ? nullptr : found->second;
		});
}

void SetEncoder(whisper_state* state, std::shared_ptr<const IntEncoder> encoder) {
	auto context = std::make_unique<whisper_openvino_context>();
	context->integers = std::move(encoder);
	state->ctx_openvino = context.release();  // whisper_free_state's
}

Expected<Done> SetEncoders(whisper_state* state, const std::vector<std::shared_ptr<const ort::Session>>& sessions) {
	auto context = std::make_unique<whisper_openvino_context>();
	for (const auto& session : sessions) {
		Expected<ort::Session::Pass> pass = ort::Session::Pass::Make(session);
		if (!pass) return pass.failure();
		context->passes.push_back(std::move(*pass));
	}
	state->ctx_openvino = context.release();  // whisper_free_state's
	return Done{};
}

MelFilters FiltersOf(const whisper_context* context) {
	const whisper_filters& filters = context->model.filters;
	return MelFilters(filters.data.data(), static_cast<size_t>(filters.n_mel));
}

void SetMel(whisper_state* state, LogMel mel, size_t samples) {
	state->mel.n_len = static_cast<int>(mel.frames);
	state->mel.n_mel = static_cast<int>(mel.values.size() / mel.frames);
	// As log_mel_spectrogram has it: what whisper_full takes for the clip's length.
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

/** Beside flash attention, which keeps its weights to itself: those of the heads that AttentionCapture selects. */
ggml_tensor* FlashAttention(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale, float max_bias, float softcap) {
	if (hooks != nullptr && hooks->capture_ != nullptr && keys->view_src == hooks->state_->kv_cross.k) {
		AttentionCapture& capture = *hooks->capture_;
		const int layer = capture.layer++;
		for (const Head& head : capture.heads) {
			if (head.layer != layer) continue;
			const auto at = static_cast<size_t>(head.head);
			ggml_tensor* query = ggml_view_2d(
				context, queries, queries->ne[0], queries->ne[1], queries->nb[1], queries->nb[2] * at);
			ggml_tensor* key = ggml_view_2d(context, keys, keys->ne[0],
				std::min(keys->ne[1], static_cast<int64_t>(capture.frames)), keys->nb[1], keys->nb[2] * at);
			ggml_tensor* weights =
				ggml_soft_max_ext(context, ggml_mul_mat(context, key, query), nullptr, scale, 0.0F);
			ggml_set_output(weights);
			capture.attention.frames = static_cast<size_t>(weights->ne[0]);
			capture.attention.rows = static_cast<size_t>(weights->ne[1]);
			capture.tensors.push_back(weights);
		}
	}
	return ggml_flash_attn_ext(context, queries, keys, values, mask, scale, max_bias, softcap);
}

/** The logits must stay the last node, so what is captured goes before them. */
void Expand(ggml_cgraph* graph, ggml_tensor* tensor) {
	if (hooks != nullptr && hooks->capture_ != nullptr && (tensor->op == GGML_OP_MUL_MAT || Q8MatrixOf(tensor) != nullptr)) {
		for (ggml_tensor* weights : hooks->capture_->tensors) ggml_build_forward_expand(graph, weights);
	}
	ggml_build_forward_expand(graph, tensor);
}

Attention AttendTo(whisper_context* context, DecodeHooks& by, const std::vector<whisper_token>& tokens,
	const std::vector<Head>& heads, size_t frames, int threads) {
	whisper_state& state = *by.state_;
	AttentionCapture capture{heads, frames, {}, 0, {}};
	by.capture_ = &capture;
	whisper_kv_cache_clear(state.kv_self);
	whisper_batch_prep_legacy(state.batch, tokens.data(), static_cast<int>(tokens.size()), 0, 0);
	const bool done = whisper_decode_internal(*context, state, state.batch, threads, false, nullptr, nullptr);
	by.capture_ = nullptr;
	return done && capture.attention.heads == heads.size() ? std::move(capture.attention) : Attention{};
}

std::vector<float> DetectLanguage(whisper_context* context, DecodeHooks& by, int threads) {
	std::vector<float> probabilities(static_cast<size_t>(whisper_lang_max_id()) + 1, 0.0F);
	if (whisper_lang_auto_detect_with_state(context, by.state_, 0, threads, probabilities.data()) < 0) return {};
	by.encoded_ = true;
	// Its softmax runs over one language too many: in models without Cantonese that one is the token to translate.
	// The logits are still there.
	for (size_t id = 0; id < probabilities.size(); id++) {
		const auto token = static_cast<size_t>(whisper_token_lang(context, static_cast<int>(id)));
		probabilities[id] = by.state_->logits[token];
	}
	return probabilities;
}

// ---- what upstream keeps to itself -----------------------------------------------------------------

namespace {

ggml_backend_t Cpu(whisper_state* state) {
	// whisper_backend_init puts it last, always.
	ggml_backend_t backend = state->backends.back();
	return ggml_backend_is_cpu(backend) ? backend : nullptr;
}

}  // namespace

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

std::vector<Head> AlignmentHeads(const whisper_context* context) {
	const auto& p = context->model.hparams;
	const bool multilingual = context->vocab.is_multilingual();
	const bool third = p.n_vocab == 51866;
	whisper_alignment_heads_preset preset = WHISPER_AHEADS_NONE;
	const auto is = [&](int layers, int state) { return p.n_text_layer == layers && p.n_text_state == state; };
	if (is(4, 384)) preset = multilingual ? WHISPER_AHEADS_TINY : WHISPER_AHEADS_TINY_EN;
	else if (is(6, 512)) preset = multilingual ? WHISPER_AHEADS_BASE : WHISPER_AHEADS_BASE_EN;
	else if (is(12, 768)) preset = multilingual ? WHISPER_AHEADS_SMALL : WHISPER_AHEADS_SMALL_EN;
	else if (is(24, 1024)) preset = multilingual ? WHISPER_AHEADS_MEDIUM : WHISPER_AHEADS_MEDIUM_EN;
	// The first and the second large model differ in their weights alone; the first is hardly used.
	else if (is(32, 1280)) preset = third ? WHISPER_AHEADS_LARGE_V3 : WHISPER_AHEADS_LARGE_V2;
	else if (is(4, 1280)) preset = WHISPER_AHEADS_LARGE_V3_TURBO;
	std::vector<Head> heads;
	if (preset == WHISPER_AHEADS_NONE) return heads;
	const whisper_aheads& table = g_aheads.at(preset);
	for (size_t i = 0; i < table.n_heads; i++) heads.push_back({table.heads[i].n_text_layer, table.heads[i].n_head});
	return heads;
}

std::string_view TokenBytes(const whisper_context* context, int token) {
	const auto found = context->vocab.id_to_token.find(token);
	return found == context->vocab.id_to_token.end() ? std::string_view() : std::string_view(found->second);
}

/** A matrix that makes what cross-attention reads, once for each window. */
static bool MakesCross(const std::string& name) {
	const auto is = [&name](const char* part) { return name.find(part) != std::string::npos; };
	return is(".cross_attn.key.") || is(".cross_attn.value.");
}

/** The positions are added, not multiplied with. */
static bool IsOfDecoder(const std::string& name, bool cross) {
	return name.starts_with("decoder.") && name.ends_with(".weight") && (cross || !MakesCross(name));
}

size_t QuantiseDecoder(whisper_context* context, bool cross) {
	size_t saved = 0;
	for (const auto& [name, tensor] : context->model.tensors) {
		if (IsOfDecoder(name, cross) && CanQuantise(tensor)) saved += QuantiseInPlace(tensor);
	}
	return saved;
}

std::unique_ptr<const Q8Matrices> Interleave(const whisper_context* context, bool cross) {
	std::vector<const ggml_tensor*> tensors;
	for (const auto& [name, tensor] : context->model.tensors) {
		if (IsOfDecoder(name, cross) && CanInterleave(tensor) && InMemory(tensor)) tensors.push_back(tensor);
	}
	return tensors.empty() ? nullptr : std::make_unique<const Q8Matrices>(tensors);
}

size_t ReleaseInterleaved(const whisper_context* context, const Q8Matrices& matrices) {
	size_t size = 0;
	for (const auto& [name, tensor] : context->model.tensors) {
		if (matrices.Find(tensor) == nullptr) continue;
		(void)ReleaseWeights(tensor);
		size += ggml_nbytes(tensor);
	}
	return size;
}

void SpeedUpDecoder(whisper_context* context, const Q8Matrices* matrices) {
	std::vector<const ggml_tensor*> tensors;
	for (const auto& [name, tensor] : context->model.tensors) {
		// No token reads the others, and pages that were given back would come again.
		const bool stands = matrices == nullptr || matrices->Find(tensor) == nullptr;
		if (name.starts_with("decoder.") && !MakesCross(name) && stands) tensors.push_back(tensor);
	}
	PreferLargePages(tensors);
}

size_t ReleaseEncoderWeights(whisper_context* context, bool cross) {
	size_t saved = 0;
	for (const auto& [name, tensor] : context->model.tensors) {
		if (name.starts_with("encoder.") || (cross && MakesCross(name))) saved += ReleaseWeights(tensor);
	}
	return saved;
}

uint64_t WeightBytes(const whisper_context* context) {
	uint64_t bytes = 0;
	for (ggml_backend_buffer_t buffer : context->model.buffers) bytes += ggml_backend_buffer_get_size(buffer);
	return bytes;
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

std::string WeightDevice(const whisper_context* context) {
	ggml_backend_buffer_t largest = nullptr;
	for (ggml_backend_buffer_t buffer : context->model.buffers) {
		if (largest == nullptr || ggml_backend_buffer_get_size(buffer) > ggml_backend_buffer_get_size(largest)) {
			largest = buffer;
		}
	}
	if (largest == nullptr) return "";
	ggml_backend_dev_t device = ggml_backend_buft_get_device(ggml_backend_buffer_get_type(largest));
	// The plain CPU buffer type belongs to no device.
	return device == nullptr ? "CPU" : ggml_backend_dev_name(device);
}

int LanguageCount(const whisper_context* context) {
	return context->vocab.is_multilingual() ? context->vocab.num_languages() : 0;
}

}  // namespace earshot::internals

whisper_openvino_context* whisper_openvino_init(const char*, const char*, const char*) { return nullptr; }

void whisper_openvino_free(whisper_openvino_context* context) {
	const std::unique_ptr<whisper_openvino_context> owned(context);
}

int whisper_openvino_encode(whisper_openvino_context* context, ggml_tensor* mel, ggml_tensor* out) {
	earshot::internals::Encode(*context, mel, out);
	return 0;
}
