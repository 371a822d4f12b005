#include "whisper/upstream/hooks.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "whisper/upstream/calls.h"

namespace earshot::upstream {

namespace {

/** Of the clip that this thread runs, if any. */
thread_local DecodeHooks* hooks = nullptr;

thread_local bool plain_weights = false;

/** Replacement of released weights, or nullptr. */
const Q8Matrix* Interleaved(const ggml_tensor* weights) {
	return hooks == nullptr || hooks->matrices_ == nullptr ? nullptr : hooks->matrices_->Find(weights);
}

/**
 * whisper.cpp computes the no-speech probability from the first row of the prompt's logits but fetches only the last row, so
 * the first one has stale contents. Puts the row at <|startoftranscript|> there, which OpenAI uses.
 */
void ReadLogits(const ggml_tensor* tensor, void* data, size_t offset, size_t size) {
	if (tensor != hooks->prompt_logits_) {
		ggml_backend_tensor_get(tensor, data, offset, size);
		return;
	}
	// whisper.cpp asks for the last of as many rows as the prompt has tokens.
	const auto last = static_cast<size_t>(tensor->ne[1]) - 1;
	ggml_backend_tensor_get(tensor, data, last * size, size);
	auto* first_row = reinterpret_cast<float*>(static_cast<char*>(data) - offset);
	auto* second_row = first_row + tensor->ne[0];
	auto* last_row = static_cast<float*>(data);
	auto* end = last_row + tensor->ne[0];
	ggml_backend_tensor_get(tensor, first_row, 0, size);
	// Its softmax subtracts the maximum of all rows. If that is far above the first row's, its probabilities underflow, so
	// align the maxima, and exclude the rows in between, which hold data of an earlier prompt.
	std::fill(second_row, last_row, -INFINITY);
	const float shift = *std::max_element(last_row, end) - *std::max_element(first_row, second_row);
	if (shift > 0 && std::isfinite(shift)) {
		for (float* logit = first_row; logit < second_row; logit++) *logit += shift;
	}
}

}  // namespace

DecodeHooks::DecodeHooks(whisper_context* context, whisper_state* state, const Q8Matrices* matrices, int threads,
	const Cancel& cancel, DecodeBatcher* batcher)
	: context_(context), state_(state), matrices_(matrices), start_token_(whisper_token_sot(context)), threads_(threads),
	  cancel_(cancel), batcher_(batcher) {
	hooks = this;
}
DecodeHooks::~DecodeHooks() { hooks = nullptr; }

DecodeHooks* DecodeHooks::Current() { return hooks; }

PlainWeights::PlainWeights() { plain_weights = true; }
PlainWeights::~PlainWeights() { plain_weights = false; }

/** whisper.cpp looks up ggml's repacked buffer types with it. */
void* FindProcedure(ggml_backend_reg_t library, const char* name) {
	if (plain_weights && std::string_view(name) == "ggml_backend_dev_get_extra_bufts") return nullptr;
	return ggml_backend_reg_get_proc_address(library, name);
}

ggml_tensor* LookUp(ggml_context* context, ggml_tensor* table, ggml_tensor* numbers) {
	const Q8Matrix* matrix = Interleaved(table);
	return matrix == nullptr ? ggml_get_rows(context, table, numbers) : LookUpRows(context, *matrix, numbers);
}

ggml_tensor* Multiply(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows) {
	const Q8Matrix* matrix = Interleaved(weights);
	return matrix == nullptr ? ggml_mul_mat(context, weights, rows) : MultiplyRows(context, *matrix, rows);
}

/** For a skipped prompt, returns the logits that were read when it was decoded. */
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

}  // namespace earshot::upstream
