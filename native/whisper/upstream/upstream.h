// Access to whisper.cpp's private structures: the model (context), and the state of one running clip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <whisper.h>

#include "whisper/decode/token.h"
#include "whisper/math/mel.h"
#include "whisper/upstream/hooks.h"

struct whisper_openvino_context;

namespace earshot::upstream {

// ---- the model ---------------------------------------------------------------------------------

const std::map<std::string, ggml_tensor*>& Tensors(const whisper_context* context);

const std::vector<ggml_backend_buffer_t>& WeightBuffers(const whisper_context* context);

/** Alignment heads of a preset. */
std::vector<Head> HeadsOf(whisper_alignment_heads_preset preset);

/** Whether the cross-attention cache holds half floats, of the encoder's width. */
bool CrossIsHalf(const whisper_context* context);

// ---- the state ---------------------------------------------------------------------------------

/** Replaces whisper.cpp's encoder; `encoder` is freed with the state. */
void SetExternalEncoder(whisper_state* state, whisper_openvino_context* encoder);

/** The decoder's cross-attention cache. */
struct CrossCache {
	ggml_tensor *keys, *values;
};
CrossCache CrossOf(const whisper_state* state);

/** Numbers from one of its layers to the next, for an encoder output of this shape. */
size_t CrossStride(const ggml_tensor* encoded);

MelFilters FiltersOf(const whisper_context* context);

/** A clip's length in frames of 10 ms, as in whisper.cpp's log_mel_spectrogram. */
int FramesOf(size_t samples);

/** Sets the spectrogram of the next clip, which has `samples` samples. */
void SetMel(whisper_state* state, LogMel mel, size_t samples);

/** Positions of 20 ms that the encoder processes; 0 = all. */
void SetAudioContext(whisper_state* state, int positions);

/** Encodes the first window of the spectrogram; empty on failure. */
std::vector<float> Encoded(DecodeHooks& hooks);

/** Thread pool of the state's CPU backend, owned by the caller; nullptr = only the calling thread. */
void SetThreadPool(whisper_state* state, ggml_threadpool* pool);

/** Called between nodes of a graph; true aborts it. Without it, cancelling takes effect after the encoder has finished. */
void SetAbort(whisper_state* state, ggml_abort_callback abort, void* data);

/** The token's bytes, owned by the context. */
std::string_view TokenBytes(const whisper_context* context, int token);

Vocabulary WordsOf(const whisper_context* context);

/** Ids that are never part of a text: tasks, languages and the like, without timestamps and the end of the text. */
std::vector<int32_t> SpecialTokens(const whisper_context* context);

/** Ids of symbols that are not speech, as in OpenAI's tokenizer.py. */
std::vector<int32_t> NonSpeechTokens(const whisper_context* context);

/** False for the first distilled models. */
bool WritesStamps(const whisper_context* context);

/** ggml's name for the type of the token embedding, the decoder's largest matrix. */
std::string DecoderType(const whisper_context* context);

/** Bytes of a state's caches. */
uint64_t StateBytes(const whisper_context* context);

/** Whether the state computes on the CPU only. */
bool OnProcessor(const whisper_state* state);

/** 0 for English-only models. */
int LanguageCount(const whisper_context* context);

}  // namespace earshot::upstream
