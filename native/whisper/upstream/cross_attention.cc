#include "whisper/upstream/cross_attention.h"

#include <algorithm>
#include <utility>

#include "kernels/decoder/products.h"
#include "whisper/upstream/calls.h"
#include "whisper/upstream/step.h"
#include "whisper/upstream/upstream.h"

namespace earshot::upstream {

/** Adds the weights of the heads that AttentionCapture selects to the graph. */
ggml_tensor* FlashAttention(ggml_context* context, ggml_tensor* queries, ggml_tensor* keys, ggml_tensor* values,
	ggml_tensor* mask, float scale, float max_bias, float softcap) {
	DecodeHooks* hooks = DecodeHooks::Current();
	if (hooks != nullptr && hooks->capture_ != nullptr && keys->view_src == CrossOf(hooks->state_).keys) {
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
	ggml_tensor* attended = AttendByKernel(context, queries, keys, values, mask, scale);
	return attended != nullptr ? attended
							   : ggml_flash_attn_ext(context, queries, keys, values, mask, scale, max_bias, softcap);
}

/** The logits must stay the last node, so captured weights are added before them. */
void Expand(ggml_cgraph* graph, ggml_tensor* tensor) {
	DecodeHooks* hooks = DecodeHooks::Current();
	const bool is_product = tensor->op == GGML_OP_MUL_MAT || SharedWeightsOf(tensor) != nullptr;
	if (hooks != nullptr && hooks->capture_ != nullptr && is_product) {
		for (ggml_tensor* weights : hooks->capture_->tensors) ggml_build_forward_expand(graph, weights);
	}
	ggml_build_forward_expand(graph, tensor);
}

Attention ReadAttention(
	DecodeHooks& by, const std::vector<whisper_token>& tokens, const std::vector<Head>& heads, size_t frames) {
	AttentionCapture capture{heads, frames, {}, 0, {}};
	DecoderStep step;
	std::vector<uint32_t> cells;
	for (const whisper_token token : tokens) {
		step.rows.push_back({token, static_cast<int>(cells.size()), cells});
		cells.push_back(static_cast<uint32_t>(cells.size()));
	}
	step.wanted = {tokens.size() - 1};
	by.capture_ = &capture;
	const bool done = Decode(by, step) != nullptr;
	by.capture_ = nullptr;
	return done && capture.attention.heads == heads.size() ? std::move(capture.attention) : Attention{};
}

std::vector<Head> AlignmentHeads(whisper_context* context) {
	const bool multilingual = whisper_is_multilingual(context) != 0;
	const bool third = whisper_model_n_vocab(context) == 51866;
	const int text_layers = whisper_model_n_text_layer(context), text_state = whisper_model_n_text_state(context);
	const auto is = [&](int layers, int state) { return text_layers == layers && text_state == state; };
	if (is(4, 384)) return HeadsOf(multilingual ? WHISPER_AHEADS_TINY : WHISPER_AHEADS_TINY_EN);
	if (is(6, 512)) return HeadsOf(multilingual ? WHISPER_AHEADS_BASE : WHISPER_AHEADS_BASE_EN);
	if (is(12, 768)) return HeadsOf(multilingual ? WHISPER_AHEADS_SMALL : WHISPER_AHEADS_SMALL_EN);
	if (is(24, 1024)) return HeadsOf(multilingual ? WHISPER_AHEADS_MEDIUM : WHISPER_AHEADS_MEDIUM_EN);
	// The first and second large models have the same shape; the first is hardly used.
	if (is(32, 1280)) return HeadsOf(third ? WHISPER_AHEADS_LARGE_V3 : WHISPER_AHEADS_LARGE_V2);
	if (is(4, 1280)) return HeadsOf(WHISPER_AHEADS_LARGE_V3_TURBO);
	return {};
}

}  // namespace earshot::upstream
