// What is done differently while whisper.cpp works on a clip: the calls that it makes of ggml go through calls.h, and
// find here what they need.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <ggml-backend.h>
#include <whisper.h>

#include "core/cancel.h"
#include "core/failure.h"
#include "kernels/q8_matrix.h"
#include "whisper/batcher.h"
#include "whisper/math/word_times.h"

namespace earshot::upstream {

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

	/** Those that this thread is within, or nullptr. */
	static DecodeHooks* Current();

	// Read by the calls of calls.h.
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

/** While it lives, models that this thread loads have their weights in plain memory, as the encoder in integers reads them,
 * and not in the buffers that ggml lays them out anew in for its own products (CPU_REPACK, AMX). */
class PlainWeights {
public:
	PlainWeights();
	~PlainWeights();
	PlainWeights(const PlainWeights&) = delete;
	PlainWeights& operator=(const PlainWeights&) = delete;
};

}  // namespace earshot::upstream
