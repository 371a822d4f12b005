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

/** Within DecodeHooks: decodes `tokens` from position 0. False on failure, e.g. if aborted. */
bool DecodeFromStart(
	whisper_context* context, whisper_state* state, const std::vector<whisper_token>& tokens, int threads);

/** Logits of the languages, by whisper.cpp's ids, at the start of the clip whose spectrogram is set. Empty on failure. The
 * first window stays encoded. */
std::vector<float> DetectLanguage(whisper_context* context, DecodeHooks& hooks, int threads);

MelFilters FiltersOf(const whisper_context* context);

/** Sets the spectrogram of the next clip, which has `samples` samples. */
void SetMel(whisper_state* state, LogMel mel, size_t samples);

/** Positions of 20 ms that the encoder processes; 0 = all. */
void SetAudioContext(whisper_state* state, int positions);

/** Encodes the first window of the spectrogram; empty on failure. */
std::vector<float> Encoded(whisper_context* context, DecodeHooks& hooks);

/** Thread pool of the state's CPU backend, owned by the caller; nullptr = only the calling thread. */
void SetThreadPool(whisper_state* state, ggml_threadpool* pool);

/** Called between nodes of a graph; true aborts it. Without it, cancelling takes effect after the encoder has finished. */
void SetAbort(whisper_state* state, ggml_abort_callback abort, void* data);

/** Resets the random generator, so that sampling depends only on the clip. */
void Reseed(whisper_state* state);

/** Number of decodes that have failed their checks and were retried at a higher temperature. */
int FailedDecodes(const whisper_state* state);

/** The decoder that owns `tokens`; -1 if none does. */
int DecoderOf(const whisper_state* state, const whisper_token_data* tokens);

/** The decoder that produced the segment, and its position in that decoder's tokens; -1 if unknown. Only within
 * whisper.cpp's new-segment callback. */
std::pair<int, size_t> OriginOf(const whisper_state* state, int segment);

/** Sum over all tokens sampled by the decoder, including those removed from its sequence. */
double SumOfLogprobs(const whisper_state* state, int decoder);

const std::vector<whisper_token_data>& TokensOf(const whisper_state* state, int decoder);

/** Log-probabilities from which the last token was sampled, filtered and divided by the temperature. */
const std::vector<float>& LastLogprobs(const whisper_state* state, int decoder);

/** Removes the decoder from the attempt; when none is left, the next temperature is tried. */
void FailDecoder(whisper_state* state, int decoder);

/** The token's bytes, owned by the context. */
std::string_view TokenBytes(const whisper_context* context, int token);

/** ggml's name for the type of the token embedding, the decoder's largest matrix. */
std::string DecoderType(const whisper_context* context);

/** Bytes of a state's caches. */
uint64_t StateBytes(const whisper_context* context);

/** Whether the state computes on the CPU only. */
bool OnProcessor(const whisper_state* state);

/** 0 for English-only models. */
int LanguageCount(const whisper_context* context);

}  // namespace earshot::upstream
