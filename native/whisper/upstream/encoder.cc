#include "whisper/upstream/encoder.h"

#include <algorithm>
#include <string>
#include <utility>

#include <ggml-backend.h>
#include <ggml.h>

#include "ort/ort.h"
#include "whisper/upstream/hooks.h"
#include "whisper/upstream/openvino/whisper-openvino-encoder.h"
#include "whisper/upstream/upstream.h"

/** Belongs to one state. */
struct whisper_openvino_context {
	/** In ascending order of threads; empty with `integers`. */
	std::vector<earshot::ort::Session::Pass> passes;
	std::shared_ptr<const earshot::IntEncoder> integers;
};

namespace earshot::upstream {

namespace {

Expected<Done> EncodeInIntegers(
	DecodeHooks& hooks, const IntEncoder& encoder, const ggml_tensor* mel, ggml_tensor* out) {
	const CrossCache cross = CrossOf(hooks.state_);
	const CrossAttention made{
		static_cast<uint16_t*>(cross.keys->data), static_cast<uint16_t*>(cross.values->data), CrossStride(out)};
	Expected<Done> encoded = encoder.Run(static_cast<const float*>(mel->data), static_cast<size_t>(out->ne[1]),
		static_cast<float*>(out->data), made, hooks.threads_, hooks.cancel_);
	hooks.crossed_ = static_cast<bool>(encoded);
	return encoded;
}

Expected<Done> EncodeBySession(
	const DecodeHooks& hooks, std::vector<ort::Session::Pass>& passes, const ggml_tensor* mel, ggml_tensor* out) {
	const auto enough = std::find_if(passes.begin(), passes.end(),
		[&](const ort::Session::Pass& pass) { return pass.threads() >= hooks.threads_; });
	ort::Session::Pass& pass = enough == passes.end() ? passes.back() : *enough;
	const auto view = [](const char* name, const ggml_tensor* tensor) {
		return ort::Session::Tensor{name, static_cast<float*>(tensor->data), {1, tensor->ne[1], tensor->ne[0]}};
	};
	return pass.Run({view("in", mel)}, {view("out", out)}, hooks.cancel_);
}

/** Called only within DecodeHooks. The tensors are graph inputs, which the scheduler puts on the CPU. */
void Encode(DecodeHooks& hooks, whisper_openvino_context& encoder, ggml_tensor* mel, ggml_tensor* out) {
	const ggml_tensor* cross = CrossOf(hooks.state_).keys;
	if (!ggml_backend_buffer_is_host(mel->buffer) || !ggml_backend_buffer_is_host(out->buffer) ||
		(encoder.integers && !ggml_backend_buffer_is_host(cross->buffer))) {
		hooks.failure_ = {"engine_failed", "whisper.cpp has put its encoder's input on another device"};
		return;
	}
	const Expected<Done> encoded = encoder.integers ? EncodeInIntegers(hooks, *encoder.integers, mel, out)
													: EncodeBySession(hooks, encoder.passes, mel, out);
	if (!encoded) hooks.failure_ = encoded.failure();
}

EncoderShape ShapeOf(whisper_context* context) {
	const auto size = [&](int (*read)(whisper_context*)) { return static_cast<size_t>(read(context)); };
	return {size(whisper_model_n_mels), size(whisper_model_n_audio_ctx), size(whisper_model_n_audio_state),
		size(whisper_model_n_audio_head), size(whisper_model_n_audio_layer), size(whisper_model_n_text_layer)};
}

}  // namespace

Expected<std::shared_ptr<const IntEncoder>> MakeIntEncoder(
	whisper_context* context, Integers integers, Integers decoder) {
	// It writes into this cache.
	if (!CrossIsHalf(context)) {
		return Failure{"model_load_failed", "the decoder's cross-attention is not as expected"};
	}
	const bool both = integers == Integers::k8 && decoder == Integers::k8;
	return IntEncoder::Make(integers, both ? Integers::k8 : Integers::k16, ShapeOf(context),
		[&](const std::string& name) -> const ggml_tensor* {
			const auto found = Tensors(context).find(name);
			return found == Tensors(context).end() ? nullptr : found->second;
		});
}

void SetEncoder(whisper_state* state, std::shared_ptr<const IntEncoder> encoder) {
	auto context = std::make_unique<whisper_openvino_context>();
	context->integers = std::move(encoder);
	SetExternalEncoder(state, context.release());
}

Expected<Done> SetEncoders(whisper_state* state, const std::vector<std::shared_ptr<const ort::Session>>& sessions) {
	auto context = std::make_unique<whisper_openvino_context>();
	for (const auto& session : sessions) {
		Expected<ort::Session::Pass> pass = ort::Session::Pass::Make(session);
		if (!pass) return pass.failure();
		context->passes.push_back(std::move(*pass));
	}
	SetExternalEncoder(state, context.release());
	return Done{};
}

}  // namespace earshot::upstream

whisper_openvino_context* whisper_openvino_init(const char*, const char*, const char*) { return nullptr; }

void whisper_openvino_free(whisper_openvino_context* context) {
	const std::unique_ptr<whisper_openvino_context> owned(context);
}

int whisper_openvino_encode(whisper_openvino_context* context, ggml_tensor* mel, ggml_tensor* out) {
	earshot::upstream::Encode(*earshot::upstream::DecodeHooks::Current(), *context, mel, out);
	return 0;
}
