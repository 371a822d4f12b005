// With WHISPER_USE_OPENVINO whisper.cpp includes a header of this name, its interface to an external encoder. encoder.cc
// implements it.
#pragma once

struct ggml_tensor;
struct whisper_openvino_context;

/** Never called: the encoder is set on the state. */
whisper_openvino_context* whisper_openvino_init(const char* model, const char* device, const char* cache);
void whisper_openvino_free(whisper_openvino_context* context);
/** whisper.cpp ignores the result. */
int whisper_openvino_encode(whisper_openvino_context* context, ggml_tensor* mel, ggml_tensor* out);
