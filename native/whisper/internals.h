// What engine.cc needs besides whisper.h: the private parts that upstream.cc shows, and the arithmetic
// of word_times.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <whisper.h>

#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"
#include "core/integers.h"
#include "kernels/int_encoder.h"
#include "kernels/q8_matrix.h"
#include "whisper/batcher.h"

namespace earshot {

namespace ort {
class Session;
}

// ---- when tokens were said (word_times.cc) ----------------------------------------------------

/** In seconds. */
struct TokenSpan {
	double start, end;
};

/** Weights of cross-attention: for each head and decoder position (row) one for each 20 ms of audio (frame). */
struct Attention {
	size_t heads = 0, rows = 0, frames = 0;
	std::vector<float> weights;

	float& At(size_t head, size_t row, size_t frame) { return weights[(head * rows + row) * frames + frame]; }
};

/**
 * Times of `tokens` tokens by OpenAI's definition (timing.py): the weights normalised over the positions, smoothed,
 * averaged, and warped in time. Row `first_row` is the position that says the first of them; one row follows the
 * last. Empty when there is nothing to align.
 */
std::vector<TokenSpan> AlignByAttention(Attention attention, size_t first_row, size_t tokens);

struct TokenShape {
	/** How long it takes to say, against the others. */
	double length;
	bool begins_word;
};

/** Where a clip is loud enough to be speech, by frames of 10 ms. */
class Sound {
public:
	Sound(const float* samples, size_t size);
	bool Any(double start, double end) const;
	/** Without the silence at both ends; as it is where all is silent. */
	TokenSpan Trim(TokenSpan span) const;
	/** Lays the tokens over the sound between `start` and `end` by their lengths, words apart at pauses. */
	std::vector<TokenSpan> Spread(const std::vector<TokenShape>& tokens, double start, double end) const;

private:
	size_t FrameOf(double seconds) const;
	/** The position in `frames` after a pause that is nearest to `border`; 0 = none near. */
	static size_t NearestPause(const std::vector<size_t>& frames, size_t border);

	std::vector<bool> sounds_;
};

// ---- log-mel spectrogram (mel.cc) --------------------------------------------------------

/** Silence that Whisper gets behind each clip, in samples. */
constexpr size_t kWindowSamples = size_t{30} * kSampleRate;

struct LogMel {
	/** For each band as many values as there are frames of 10 ms. */
	std::vector<float> values;
	size_t frames = 0;
};

/** A model's filters. Any thread. */
class MelFilters {
public:
	/** `weights`: for each band one for each of 201 bins of 40 Hz. */
	MelFilters(const float* weights, size_t mels);
	/** Of at least 201 finite samples. */
	LogMel Spectrogram(const float* samples, size_t size) const;

private:
	struct Filter {
		size_t first;
		std::vector<float> weights;
	};
	std::vector<Filter> filters_;
};

// ---- weights (weights.cc) ----------------------------------------------------------------

/** Whether the processor can read it where it lies. */
bool InMemory(const ggml_tensor* tensor);

/** A matrix of f16 or f32 in memory that Q8_0 divides evenly. */
bool CanQuantise(const ggml_tensor* tensor);

/** To Q8_0, as whisper.cpp's own tool writes it, where the tensor lies. Returns the bytes given back to the system.
 * No other thread may read the tensor meanwhile. */
size_t QuantiseInPlace(ggml_tensor* tensor);

/** They are read often and whole: in large pages, where they lie beside each other. */
void PreferLargePages(const std::vector<const ggml_tensor*>& tensors);

/** The tensor is never read again. Returns the bytes given back to the system. */
size_t ReleaseWeights(const ggml_tensor* tensor);

// ---- repetition (word_times.cc) ---------------------------------------------------------------

/** Whether the last tokens are one cycle over and over, more often than speech repeats. */
bool EndsInLoop(const int32_t* tokens, size_t count);

/** The ranges to remove so that of each loop its first round is left. */
std::vector<std::pair<size_t, size_t>> FindLoops(const std::vector<int32_t>& tokens);

}  // namespace earshot

namespace earshot::internals {

/** A head of the decoder's cross-attention. */
struct Head {
	int layer, head;
};

/** Cross-attention that a decode leaves behind; see AttendTo. */
struct AttentionCapture {
	const std::vector<Head>& heads;
	size_t frames;
	Attention attention;
	int layer = 0;
	std::vector<ggml_tensor*> tensors;
};

/** The prompt of an attempt, for further attempts that begin with the same one. */
struct Prompt {
	/** What the first cells of the self-attention cache hold, computed for the present window; empty = something else. */
	std::vector<whisper_token> tokens;
	/** Of that cache, which is made anew for an attempt with more decoders. */
	uint32_t cells = 0;
	/** Logits as they were read, at the first token and at the last. */
	std::vector<float> first, last;

	/** Of the graph that was run last, where it is a prompt's. */
	const ggml_tensor* logits = nullptr;
	/** That graph was left out. */
	bool again = false;
};

/**
 * Lives around all that one clip asks of a state, on its thread: repairs the probability of no speech, and computes
 * once what whisper.cpp computes several times to the same result: the first window after language detection, and the
 * prompt at each temperature.
 */
class DecodeHooks {
public:
	/** `matrices`: what stands for weights that are not there any more, or nullptr. `together`: the batcher that it
	 * decodes in, or nullptr. */
	DecodeHooks(whisper_context* context, whisper_state* state, const Q8Matrices* matrices, int threads, const Cancel& cancel,
		DecodeBatcher* together = nullptr);
	~DecodeHooks();
	DecodeHooks(const DecodeHooks&) = delete;
	DecodeHooks& operator=(const DecodeHooks&) = delete;

	// Read by the hooks in upstream.cc.
	whisper_context* const context_;
	whisper_state* const state_;
	const Q8Matrices* const matrices_;
	const int start_token_;
	const int threads_;
	const Cancel& cancel_;
	DecodeBatcher* const together_;
	/** Why the encoder has made nothing. */
	std::optional<Failure> failure_;
	/** The next encoder pass is for what the cross-attention cache holds already. */
	bool encoded_ = false;
	/** The encoder has filled the cross-attention cache already. */
	bool crossed_ = false;
	AttentionCapture* capture_ = nullptr;
	/** Of the graph built last, where it has only some of the rows. */
	ggml_tensor* prompt_logits_ = nullptr;
	Prompt prompt_;
	/** Tokens that the decoder has computed. */
	size_t decoded_ = 0;
};

/**
 * Reads `tokens` again and returns where the heads look for each of them. Flash attention stays on: the weights that
 * it never shows are computed beside it, for these heads alone. Empty on failure, e.g. when aborted.
 */
Attention AttendTo(whisper_context* context, DecodeHooks& hooks, const std::vector<whisper_token>& tokens,
	const std::vector<Head>& heads, size_t frames, int threads);

/** The heads that look at the word being said, as OpenAI publishes them for its models; empty for other shapes. */
std::vector<Head> AlignmentHeads(const whisper_context* context);

/** Log-probabilities of the languages (by whisper.cpp's ids) at the start of the clip whose mel the state holds.
 * Empty on failure. Leaves the first window encoded. */
std::vector<float> DetectLanguage(whisper_context* context, DecodeHooks& hooks, int threads);

/** From now on the state's windows are encoded by the first session with as many threads as the clip has, or the
 * last. */
Expected<Done> SetEncoders(whisper_state* state, const std::vector<std::shared_ptr<const ort::Session>>& sessions);

/** While it lives, models that this thread loads have their weights in plain memory, as the encoder in integers reads them,
 * and not in the buffers that ggml lays them out anew in for its own products (CPU_REPACK, AMX). */
class PlainWeights {
public:
	PlainWeights();
	~PlainWeights();
	PlainWeights(const PlainWeights&) = delete;
	PlainWeights& operator=(const PlainWeights&) = delete;
};

/** Of the weights in the memory of the processor. What the decoder reads of it loses what 8 bits lose only where the
 * `decoder`, too, is in 8 bits: it is read anew for each token. */
Expected<std::shared_ptr<const IntEncoder>> MakeIntEncoder(
	const whisper_context* context, Integers integers, Integers decoder);
/** From now on the state's windows are encoded by this one. */
void SetEncoder(whisper_state* state, std::shared_ptr<const IntEncoder> encoder);

/** The matrices that the decoder multiplies with, of f16 or f32, become Q8_0. Returns the bytes given back to the system;
 * 0 = there was none. Before any state is made. `cross`: those for what cross-attention reads, too. */
size_t QuantiseDecoder(whisper_context* context, bool cross);

/** Of the decoder's matrices of Q8_0; nullptr where there are none or the processor gains nothing. `cross`: as above. */
std::unique_ptr<const Q8Matrices> Interleave(const whisper_context* context, bool cross);

/** Of a model whose clips all have DecodeHooks with those matrices: what they are made of. Returns the bytes given back. */
size_t ReleaseInterleaved(const whisper_context* context, const Q8Matrices& matrices);

/** What a token reads. `matrices`: what stands for some of it, or nullptr. Before any state is made. */
void SpeedUpDecoder(whisper_context* context, const Q8Matrices* matrices);

/** Of a model whose states all have encoders of their own: ggml's weights for it, and where the encoder makes them those
 * for what cross-attention reads. Returns the bytes given back. */
size_t ReleaseEncoderWeights(whisper_context* context, bool cross);

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

uint64_t WeightBytes(const whisper_context* context);

/** ggml's name of the type of the token embedding, the largest of the decoder's matrices. */
std::string DecoderType(const whisper_context* context);

/** ggml's name of the device that most of the weights are on. */
std::string WeightDevice(const whisper_context* context);

/** Of the caches that a state holds. */
uint64_t StateBytes(const whisper_context* context);

/** Whether the state computes on the processor alone. */
bool OnProcessor(const whisper_state* state);

/** 0 for English-only models. */
int LanguageCount(const whisper_context* context);

}  // namespace earshot::internals
