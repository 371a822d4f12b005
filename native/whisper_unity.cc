// whisper.cpp as one translation unit with the few functions that reach into it. The upstream file is not edited.
#include <ggml.h>

#ifndef EARSHOT_GPU
// whisper.cpp rounds the rows of keys and values up to 256 under flash attention and attends to the padding as
// well, which holds what the state ran before. The CPU's kernels take any number of rows, so nothing is padded.
#undef GGML_PAD
#define GGML_PAD(x, n) ((x) + (n) - (n))  // the type that the macro had
#endif

#include <whisper.cpp>

#include "whisper_internals.h"

namespace earshot::internals {

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
		if (decoder.failed || segment.empty()) continue;
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
