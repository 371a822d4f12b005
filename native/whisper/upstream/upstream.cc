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

// Enables its interface for external encoders, which encoder.cc implements.
#define WHISPER_USE_OPENVINO
// Redirects seven of its calls: see calls.h.
#define ggml_backend_sched_graph_compute ::earshot::upstream::Compute
#define ggml_flash_attn_ext ::earshot::upstream::FlashAttention
#define ggml_build_forward_expand ::earshot::upstream::Expand
#define ggml_gelu ::earshot::upstream::Gelu
#define ggml_mul_mat ::earshot::upstream::MultiplyMatrices
#define ggml_get_rows ::earshot::upstream::LookUp
#define ggml_backend_reg_get_proc_address ::earshot::upstream::FindProcedure
#include <whisper.cpp>
#undef ggml_backend_sched_graph_compute
#undef ggml_flash_attn_ext
#undef ggml_build_forward_expand
#undef ggml_gelu
#undef ggml_mul_mat
#undef ggml_get_rows
#undef ggml_backend_reg_get_proc_address

#include "whisper/upstream/step.h"
#include "whisper/upstream/upstream.h"

namespace earshot::upstream {

// ---- calls ------------------------------------------------------------------------------------

/** Computes only the logits that are wanted: of a prompt those of one or two positions. */
ggml_tensor* MultiplyMatrices(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows) {
	const DecodeHooks* const hooks = DecodeHooks::Current();
	if (hooks == nullptr || hooks->step_ == nullptr || weights != hooks->context_->model.d_te) {
		return Multiply(context, weights, rows);
	}
	const std::vector<size_t>& wanted = hooks->step_->wanted;
	if (wanted.size() == hooks->step_->rows.size()) return Multiply(context, weights, rows);
	ggml_tensor* some = nullptr;
	for (const size_t index : wanted) {
		ggml_tensor* row = ggml_view_2d(context, rows, rows->ne[0], 1, rows->nb[1], rows->nb[1] * index);
		some = some == nullptr ? row : ggml_concat(context, some, row, 1);
	}
	return Multiply(context, weights, some);
}

ggml_status Compute(ggml_backend_sched_t sched, ggml_cgraph* graph) {
	DecodeHooks* const hooks = DecodeHooks::Current();
	if (hooks == nullptr) return ggml_backend_sched_graph_compute(sched, graph);
	const whisper_state& state = *hooks->state_;
	const bool cross = sched == state.sched_cross.sched;
	// Otherwise the decoder would read the previous window.
	if (cross && hooks->failure_) return GGML_STATUS_FAILED;
	if (cross && std::exchange(hooks->crossed_, false)) return GGML_STATUS_SUCCESS;
	if (sched == state.sched_decode.sched && hooks->batcher_ != nullptr) {
		return hooks->batcher_->Compute(state.backends.front(), graph);
	}
	return ggml_backend_sched_graph_compute(sched, graph);
}

// ---- steps ------------------------------------------------------------------------------------

namespace {

void SetInputs(ggml_cgraph* graph, const DecoderStep& step, uint32_t cells) {
	const size_t count = step.rows.size();
	std::vector<int32_t> tokens(count), positions(count);
	std::vector<float> mask(count * cells, -INFINITY);
	for (size_t i = 0; i < count; i++) {
		const DecoderStep::Row& row = step.rows[i];
		tokens[i] = row.token;
		positions[i] = row.position;
		for (const uint32_t cell : row.cells) mask[i * cells + cell] = 0;
		mask[i * cells + step.first_cell + i] = 0;
	}
	const auto set = [graph](const char* name, const auto& numbers) {
		ggml_backend_tensor_set(
			ggml_graph_get_tensor(graph, name), numbers.data(), 0, numbers.size() * sizeof(numbers.front()));
	};
	set("embd", tokens);
	set("position", positions);
	set("KQ_mask", mask);
}

/** The attention weights of a finished graph. */
void Read(AttentionCapture& capture) {
	Attention& attention = capture.attention;
	for (ggml_tensor* weights : capture.tensors) {
		const size_t before = attention.weights.size();
		attention.weights.resize(before + static_cast<size_t>(ggml_nelements(weights)));
		ggml_backend_tensor_get(weights, attention.weights.data() + before, 0, ggml_nbytes(weights));
		attention.heads++;
	}
}

}  // namespace

float* Decode(DecodeHooks& hooks, const DecoderStep& step) {
	whisper_context& context = *hooks.context_;
	whisper_state& state = *hooks.state_;
	whisper_kv_cache& cache = state.kv_self;
	whisper_batch batch{};  // the graph reads only its size
	batch.n_tokens = static_cast<int32_t>(step.rows.size());
	const uint32_t used = step.first_cell + static_cast<uint32_t>(step.rows.size());
	if (used > cache.size || hooks.cancel_.Requested()) return nullptr;
	const uint32_t multiple = whisper_kv_cache_get_padding(context);
	cache.head = step.first_cell;
	cache.n = std::min(cache.size, (used + multiple - 1) / multiple * multiple);
	ggml_backend_sched_t sched = state.sched_decode.sched;
	hooks.step_ = &step;
	ggml_cgraph* graph = whisper_build_graph_decoder(context, state, batch, false, false);
	hooks.step_ = nullptr;
	if (!ggml_backend_sched_alloc_graph(sched, graph)) return nullptr;
	SetInputs(graph, step, cache.n);
	hooks.decoded_ += step.rows.size();
	if (!ggml_graph_compute_helper(sched, graph, hooks.threads_)) return nullptr;
	if (hooks.capture_ != nullptr) Read(*hooks.capture_);
	ggml_tensor* logits = ggml_graph_node(graph, -1);
	if (ggml_backend_buffer_is_host(logits->buffer)) return static_cast<float*>(logits->data);
	state.logits.resize(static_cast<size_t>(ggml_nelements(logits)));
	ggml_backend_tensor_get(logits, state.logits.data(), 0, ggml_nbytes(logits));
	return state.logits.data();
}

bool ReserveCells(whisper_context* context, whisper_state* state, uint32_t cells) {
	if (state->kv_self.size >= cells) return true;
	const auto padded = static_cast<int>((cells + 255) / 256 * 256);
	whisper_kv_cache_free(state->kv_self);
	state->kv_self.buffer = nullptr;
	state->kv_self.size = 0;
	const whisper_hparams& shape = context->model.hparams;
	return whisper_kv_cache_init(
		state->kv_self, state->backends[0], context->itype, shape.n_text_state, shape.n_text_layer, padded);
}

bool EncodeWindow(DecodeHooks& hooks, int seek) {
	const auto abort = [](void* data) { return static_cast<const DecodeHooks*>(data)->cancel_.Requested(); };
	return whisper_encode_internal(*hooks.context_, *hooks.state_, seek, hooks.threads_, abort, &hooks);
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

MelFilters FiltersOf(const whisper_context* context) {
	const whisper_filters& filters = context->model.filters;
	return MelFilters(filters.data.data(), static_cast<size_t>(filters.n_mel));
}

int FramesOf(size_t samples) { return 1 + (static_cast<int>(samples) - WHISPER_N_FFT / 2) / WHISPER_HOP_LENGTH; }

void SetMel(whisper_state* state, LogMel mel, size_t samples) {
	state->mel.n_len = static_cast<int>(mel.frames);
	state->mel.n_mel = static_cast<int>(mel.values.size() / mel.frames);
	state->mel.n_len_org = FramesOf(samples);
	state->mel.data = std::move(mel.values);
}

void SetAudioContext(whisper_state* state, int positions) { state->exp_n_audio_ctx = positions; }

std::vector<float> Encoded(DecodeHooks& by) {
	if (!EncodeWindow(by, 0)) return {};
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

Vocabulary WordsOf(const whisper_context* context) {
	const whisper_vocab& words = context->vocab;
	const auto blank = words.token_to_id.find(" ");
	Vocabulary made;
	made.size = static_cast<size_t>(words.n_vocab);
	made.end = words.token_eot;
	made.start = words.token_sot;
	made.previous = words.token_prev;
	made.no_speech = words.token_nosp;
	made.blank = blank == words.token_to_id.end() ? words.token_eot : blank->second;
	made.first_stamp = words.token_beg;
	return made;
}

std::vector<int32_t> SpecialTokens(const whisper_context* context) {
	const whisper_vocab& words = context->vocab;
	std::vector<int32_t> ids{words.token_not, words.token_sot, words.token_nosp, words.token_solm, words.token_translate,
		words.token_transcribe, words.token_prev};
	for (int language = 0; language <= whisper_lang_max_id(); language++) {
		ids.push_back(whisper_token_lang(const_cast<whisper_context*>(context), language));
	}
	return ids;
}

std::vector<int32_t> NonSpeechTokens(const whisper_context* context) {
	std::vector<int32_t> ids;
	const auto add = [&](const std::string& text) {
		const auto found = context->vocab.token_to_id.find(text);
		if (found != context->vocab.token_to_id.end()) ids.push_back(found->second);
	};
	for (const std::string& text : non_speech_tokens) {
		add(text);
		add(" " + text);
	}
	// Allowed within words, not at their beginning.
	add(" -");
	add(" '");
	return ids;
}

bool WritesStamps(const whisper_context* context) {
	const whisper_hparams& shape = context->model.hparams;
	return shape.n_text_layer != 2 || shape.n_vocab == 51866;
}

int LanguageCount(const whisper_context* context) {
	return context->vocab.is_multilingual() ? context->vocab.num_languages() : 0;
}

}  // namespace earshot::upstream
