// The engine of whisper.cpp, and of its Parakeet.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"
#include "core/integers.h"
#include "core/result.h"

namespace earshot {

namespace ort {
class Session;
}

struct WhisperLoad {
	std::string path;
	int slots = 1;
	int max_threads = 1;
	bool use_gpu = false;
	int gpu_device = 0;
	/** Layer and head alternating; empty = the published ones for the model's shape. */
	std::vector<int> alignment_heads;
	/** The encoder on ONNX Runtime, in ascending order of threads; empty = ggml's own. */
	std::vector<std::shared_ptr<const ort::Session>> encoders;
	/** Use our integer encoder instead. */
	std::optional<Integers> integers;
	/** Convert the decoder's matrices from f16 or f32 to Q8_0, if they are in CPU memory. */
	bool quantise_decoder = false;
	/** Folder of a file with the weights in CPU memory that other processes use too; empty = in this process's memory. */
	std::string weights_dir;
};

struct WhisperInfo {
	std::string size, device;
	/** `ggml`, `onnxruntime` and its version, `int16` or `int8`. */
	std::string encoder;
	/** ggml's name for the type of the decoder's matrices. */
	std::string decoder;
	bool multilingual = false;
	bool aligns_words = false;
	std::vector<std::string> languages;
	uint64_t weight_bytes = 0;
	/** Number of clips up to which continuous batching is faster; 1 = no batching. */
	int max_batched_clips = 1;
};

struct WhisperOptions {
	int threads = 1;
	std::string language, prompt;
	std::vector<std::string> languages;
	std::vector<int> suppress;
	bool suppress_non_speech = false;
	bool translate = false;
	bool token_timestamps = false;
	float temperature = 0;
	float temperature_increment = 0;
	/** Below the first average log-probability a decode fails, unless its probability of no speech is above the second: then
	 * it has no text. */
	float logprob_threshold = -1, no_speech_threshold = 0.6F;
	int beam_size = 1;
	/** The beam size of each clip of a batch; empty = `beam_size` for all. */
	std::vector<int> beam_sizes;
	/** Positions of 20 ms that the encoder processes; 0 = all. */
	int audio_context = 0;
	/** The audio context of each clip of a batch; empty = `audio_context` for all. */
	std::vector<int> audio_contexts;
	/** 0 … slots - 1. Clips in the same slot share a core and are decoded together. */
	int slot = 0;
	/** Run at lower OS priority, if the clip has one thread. */
	bool background = false;
};

/** One set of weights, and a state for each slot. Any thread; at most `slots` calls at once. */
class WhisperEngine {
public:
	using Options = WhisperOptions;
	static Expected<std::shared_ptr<WhisperEngine>> Load(const WhisperLoad& load);
	virtual ~WhisperEngine() = default;
	virtual const WhisperInfo& info() const = 0;
	/** Reports each clip when it is done. A failure applies to all clips not reported. */
	virtual Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) = 0;
	/** The encoder's output for the clip's first window, context × state. Uses only `threads` and `audio_context`. */
	virtual Expected<std::vector<float>> Encode(const Clip& clip, const Options& options, const Cancel& cancel) = 0;
};

/** Refuses files that would make whisper.cpp read, allocate or index out of bounds. Does not read weights. */
Expected<Done> CheckWhisperFile(const std::string& path);

std::string WhisperVersion();

/** whisper.cpp's own Parakeet. Uses only `threads` of WhisperOptions. */
Expected<std::shared_ptr<WhisperEngine>> LoadParakeet(const WhisperLoad& load);
Expected<Done> CheckParakeetFile(const std::string& path);

}  // namespace earshot
