// State of the calls in calls.h while whisper.cpp runs a clip.
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

/** Cross-attention weights captured during a decode; see ReadAttention. */
struct AttentionCapture {
	const std::vector<Head>& heads;
	size_t frames;
	Attention attention;
	int layer = 0;
	std::vector<ggml_tensor*> tensors;
};

struct DecoderStep;

/** Installed on a thread while it runs one clip. */
class DecodeHooks {
public:
	/** `matrices`: replace released weights; may be null. `batcher`: the one that the clip is a member of, or nullptr. */
	DecodeHooks(whisper_context* context, whisper_state* state, const Q8Matrices* matrices, int threads, const Cancel& cancel,
		DecodeBatcher* batcher = nullptr);
	~DecodeHooks();
	DecodeHooks(const DecodeHooks&) = delete;
	DecodeHooks& operator=(const DecodeHooks&) = delete;

	/** Those of this thread, or nullptr. */
	static DecodeHooks* Current();

	// Used by calls.h.
	whisper_context* const context_;
	whisper_state* const state_;
	const Q8Matrices* const matrices_;
	const int threads_;
	const Cancel& cancel_;
	DecodeBatcher* const batcher_;
	/** Why the encoder has failed. */
	std::optional<Failure> failure_;
	/** The encoder has written the cross-attention cache itself. */
	bool crossed_ = false;
	AttentionCapture* capture_ = nullptr;
	/** While the graph of a step is built. */
	const DecoderStep* step_ = nullptr;
	/** Tokens decoded so far. */
	size_t decoded_ = 0;
};

/** During its lifetime, models loaded on this thread have their weights in plain memory, which the integer encoder needs,
 * instead of in ggml's repacked buffers (CPU_REPACK, AMX). */
class PlainWeights {
public:
	PlainWeights();
	~PlainWeights();
	PlainWeights(const PlainWeights&) = delete;
	PlainWeights& operator=(const PlainWeights&) = delete;
};

}  // namespace earshot::upstream
