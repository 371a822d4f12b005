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

namespace earshot::internals {
static void GetTensor(const ggml_tensor* tensor, void* data, size_t offset, size_t size);
static ggml_status Compute(ggml_backend_sched_t sched, ggml_cgraph* graph);
}  // namespace earshot::internals

// Two of its calls go through us; see below what for.
#define ggml_backend_tensor_get ::earshot::internals::GetTensor
#define ggml_backend_sched_graph_compute ::earshot::internals::Compute
#include <whisper.cpp>
#undef ggml_backend_tensor_get
#undef ggml_backend_sched_graph_compute

#include "whisper_internals.h"

namespace earshot::internals {

// ---- repairs -----------------------------------------------------------------------------------

/** The run that this thread is in, if any. */
static thread_local Watch* watch = nullptr;

Watch::Watch(whisper_state* state, int start_token, bool reuse_encoder)
	: state_(state), start_token_(start_token), reuse_encoder_(reuse_encoder) {
	watch = this;
}
Watch::~Watch() { watch = nullptr; }

/**
 * whisper.cpp takes the probability of no speech from the first row of the prompt's logits but fetches the last
 * row only: it reads whatever was there. OpenAI's is at <|startoftranscript|>, so that row is put there.
 */
void GetTensor(const ggml_tensor* tensor, void* data, size_t offset, size_t size) {
	ggml_backend_tensor_get(tensor, data, offset, size);
	if (watch == nullptr) return;
	const whisper_batch& batch = watch->state_->batch;
	const bool last_of_prompt = batch.n_tokens > 1 && batch.logits[0] == 0 && tensor->ne[1] == batch.n_tokens &&
		size == static_cast<size_t>(tensor->ne[0]) * sizeof(float) && offset == size * static_cast<size_t>(batch.n_tokens - 1);
	if (!last_of_prompt) return;
	const auto start = std::find(batch.token, batch.token + batch.n_tokens, watch->start_token_);
	if (start == batch.token + batch.n_tokens) return;
	auto* first_row = reinterpret_cast<float*>(static_cast<char*>(data) - offset);
	auto* second_row = first_row + tensor->ne[0];
	auto* end = second_row + (batch.n_tokens - 1) * tensor->ne[0];
	ggml_backend_tensor_get(tensor, first_row, size * static_cast<size_t>(start - batch.token), size);
	// Its softmax subtracts the greatest of all rows: far above the first row's own, that row would vanish in it.
	const float shift = *std::max_element(second_row, end) - *std::max_element(first_row, second_row);
	if (shift > 0 && std::isfinite(shift)) {
		for (float* logit = first_row; logit < second_row; logit++) *logit += shift;
	}
}

/**
 * Language detection encodes the first window, and the transcription encodes it again to the same result. What the
 * decoder reads of it stays in the state's cross-attention cache, so the second time is left out.
 */
ggml_status Compute(ggml_backend_sched_t sched, ggml_cgraph* graph) {
	if (watch == nullptr || !watch->reuse_encoder_) return ggml_backend_sched_graph_compute(sched, graph);
	const whisper_state& state = *watch->state_;
	const bool cross = sched == state.sched_cross.sched;
	const bool encoder = cross || sched == state.sched_conv.sched || sched == state.sched_encode.sched;
	if (!encoder || watch->encoded_ != 1) {
		const ggml_status status = ggml_backend_sched_graph_compute(sched, graph);
		if (cross && status == GGML_STATUS_SUCCESS) watch->encoded_++;
		return status;
	}
	if (cross) watch->encoded_++;
	return GGML_STATUS_SUCCESS;
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

double DecodeLogprob(const whisper_state* state, int index) {
	const auto& segment = state->result_all[static_cast<size_t>(index)].tokens;
	const auto same = [](const whisper_token_data& a, const whisper_token_data& b) {
		return a.id == b.id && a.plog == b.plog;
	};
	for (const whisper_decoder& decoder : state->decoders) {
		const auto& tokens = decoder.sequence.tokens;
		if (segment.empty()) break;
		if (std::search(tokens.begin(), tokens.end(), segment.begin(), segment.end(), same) == tokens.end()) continue;
		return decoder.sequence.sum_logprobs_all / static_cast<double>(tokens.size() + 1);
	}
	return NAN;
}

std::string_view TokenBytes(const whisper_context* context, int token) {
	const auto found = context->vocab.id_to_token.find(token);
	return found == context->vocab.id_to_token.end() ? std::string_view() : std::string_view(found->second);
}

uint64_t WeightBytes(const whisper_context* context) {
	uint64_t bytes = 0;
	for (ggml_backend_buffer_t buffer : context->model.buffers) bytes += ggml_backend_buffer_get_size(buffer);
	return bytes;
}

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
