// What native/whisper_unity.cc shows of whisper.cpp's private structures. Only whisper_engine.cc needs it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <whisper.h>

namespace earshot::internals {

/**
 * Lives around one whisper_full_with_state, on its thread: repairs the probability of no speech, and with
 * `reuse_encoder` (language detection from the start of the clip) encodes the first window once, not twice.
 */
class Watch {
public:
	Watch(whisper_state* state, int start_token, bool reuse_encoder);
	~Watch();
	Watch(const Watch&) = delete;
	Watch& operator=(const Watch&) = delete;

	// Read by the hooks in whisper_unity.cc.
	whisper_state* const state_;
	const int start_token_;
	const bool reuse_encoder_;
	int encoded_ = 0;
};

/** Threads of the CPU backend of this state: the pool's, or the calling one alone for nullptr. The pool stays
 * the caller's, and must outlive its use here. */
void SetThreadPool(whisper_state* state, ggml_threadpool* pool);

/** Asked between any two nodes of a graph; true ends it. Without it a cancelled clip ends an encoder pass later. */
void SetAbort(whisper_state* state, ggml_abort_callback abort, void* data);

/** Makes sampling at temperatures above 0 depend on the clip alone, not on what the state ran before. */
void Reseed(whisper_state* state);

/** How often decodes of this state have failed their checks and gone up the temperature ladder. */
int FailedDecodes(const whisper_state* state);

/**
 * Average log-probability of the decode that segment `index` came from, as OpenAI counts it: over all sampled
 * tokens and the end of text. Only while whisper's new-segment callback runs; NaN where it cannot be told.
 */
double DecodeLogprob(const whisper_state* state, int index);

/** The token's bytes. Lives as long as the context. */
std::string_view TokenBytes(const whisper_context* context, int token);

uint64_t WeightBytes(const whisper_context* context);

/** ggml's name of the device that most of the weights are on. */
std::string WeightDevice(const whisper_context* context);

/** 0 for English-only models. */
int LanguageCount(const whisper_context* context);

}  // namespace earshot::internals
