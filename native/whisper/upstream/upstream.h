// What whisper.cpp keeps to itself, of a model (context) and of what one clip at a time runs on (state).
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

/** The heads of this preset as whisper.cpp lists them. */
std::vector<Head> HeadsOf(whisper_alignment_heads_preset preset);

/** Whether the decoder's cross-attention reads half floats, of as many numbers as the encoder makes. */
bool CrossIsHalf(const whisper_context* context);

// ---- a run of a state --------------------------------------------------------------------------

/** Puts `encoder` into the place of whisper.cpp's own; it is freed with the state. */
void SetForeignEncoder(whisper_state* state, whisper_openvino_context* encoder);

/** What the decoder's cross-attention reads of the window. */
struct CrossCache {
	ggml_tensor *keys, *values;
};
CrossCache CrossOf(const whisper_state* state);

/** Numbers from one of its layers to the next, for as many positions as the encoder's output has. */
size_t CrossStride(const ggml_tensor* encoded);

/** Computes `tokens`, and nothing before them, within DecodeHooks; false on failure, e.g. when aborted. */
bool DecodeAnew(
	whisper_context* context, whisper_state* state, const std::vector<whisper_token>& tokens, int threads);

/** Log-probabilities of the languages (by whisper.cpp's ids) at the start of the clip whose mel the state holds.
 * Empty on failure. Leaves the first window encoded. */
std::vector<float> DetectLanguage(whisper_context* context, DecodeHooks& hooks, int threads);

MelFilters FiltersOf(const whisper_context* context);

/** What the state transcribes next, of a clip of `samples`. */
void SetMel(whisper_state* state, LogMel mel, size_t samples);

/** Positions of 20 ms that the state's encoder reads from now on; 0 = all. */
void SetAudioContext(whisper_state* state, int positions);

/** Encodes the window at the start of the mel that the state holds; empty on failure. */
std::vector<float> Encoded(whisper_context* context, DecodeHooks& hooks);

/** Threads of the CPU backend of this state: the pool's, or the calling one alone for nullptr. The pool stays
 * the caller's, and must outlive its use here. */
void SetThreadPool(whisper_state* state, ggml_threadpool* pool);

/** Asked between any two nodes of a graph; true ends it. Without it a cancelled clip ends an encoder pass later. */
void SetAbort(whisper_state* state, ggml_abort_callback abort, void* data);

/** Makes sampling at temperatures above 0 depend on the clip alone, not on what the state ran before. */
void Reseed(whisper_state* state);

/** How often decodes of this state have failed their checks and gone up the temperature ladder. */
int FailedDecodes(const whisper_state* state);

/** Which decoder's tokens these are; -1 for none's. */
int DecoderOf(const whisper_state* state, const whisper_token_data* tokens);

/** Which decoder made the segment, -1 where it cannot be told, and where in its tokens. Only while whisper's
 * new-segment callback runs. */
std::pair<int, size_t> OriginOf(const whisper_state* state, int segment);

/** Of the tokens it has sampled, whether they are in its sequence still or not. */
double SumOfLogprobs(const whisper_state* state, int decoder);

const std::vector<whisper_token_data>& TokensOf(const whisper_state* state, int decoder);

/** Log-probabilities after whisper's filters, scaled by the temperature, of the token it sampled last. */
const std::vector<float>& LastLogprobs(const whisper_state* state, int decoder);

/** Takes the decoder out of this attempt; the next temperature begins when none is left. */
void FailDecoder(whisper_state* state, int decoder);

/** The token's bytes. Lives as long as the context. */
std::string_view TokenBytes(const whisper_context* context, int token);

/** ggml's name of the type of the token embedding, the largest of the decoder's matrices. */
std::string DecoderType(const whisper_context* context);

/** Of the caches that a state holds. */
uint64_t StateBytes(const whisper_context* context);

/** Whether the state computes on the processor alone. */
bool OnProcessor(const whisper_state* state);

/** 0 for English-only models. */
int LanguageCount(const whisper_context* context);

}  // namespace earshot::upstream
