// whisper.cpp, and its Parakeet, as the bindings use them.
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
	/** Layer and head in turn; empty = those known for the model's shape. */
	std::vector<int> alignment_heads;
	/** The encoder on ONNX Runtime, by rising numbers of threads; none = ggml's own. */
	std::vector<std::shared_ptr<const ort::Session>> encoders;
	/** The encoder in integers instead. */
	std::optional<Integers> integers;
	/** The decoder's matrices become Q8_0 where they are f16 or f32, and on the CPU. */
	bool quantise_decoder = false;
};

struct WhisperInfo {
	std::string size, device;
	/** `ggml`, `onnxruntime` and its version, `int16` or `int8`. */
	std::string encoder;
	/** ggml's name of the type of the decoder's matrices. */
	std::string decoder;
	bool multilingual = false;
	bool aligns_words = false;
	std::vector<std::string> languages;
	uint64_t weight_bytes = 0;
	/** Clips that continuous batching decodes at once with gain; 1 = one after the other. */
	int clips_together = 1;
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
	int beam_size = 1;
	/** Positions of 20 ms that the encoder reads; 0 = all that the model has. */
	int audio_context = 0;
	/** The same of each clip of a batch; empty = `audio_context` for all. */
	std::vector<int> audio_contexts;
	/** 0 … slots - 1. Clips of one slot share a core, and go together if they come while others are there. */
	int slot = 0;
	/** Where there are more threads than cores, others go before this one. */
	bool background = false;
};

/** One set of weights, as many states as slots. Any thread; at most `slots` calls at once. */
class WhisperEngine {
public:
	using Options = WhisperOptions;
	static Expected<std::shared_ptr<WhisperEngine>> Load(const WhisperLoad& load);
	virtual ~WhisperEngine() = default;
	virtual const WhisperInfo& info() const = 0;
	/** Reports each clip when it is done. A failure is that of every clip not reported. */
	virtual Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) = 0;
	/** What the encoder makes of the clip's first window, position by position. Of the options it takes threads and
	 * audio context. */
	virtual Expected<std::vector<float>> Encode(const Clip& clip, const Options& options, const Cancel& cancel) = 0;
};

/** Refuses what would make whisper.cpp read, allocate or index out of bounds. Reads headers only. */
Expected<Done> CheckWhisperFile(const std::string& path);

std::string WhisperVersion();

/** whisper.cpp's own Parakeet: of WhisperOptions it takes the threads alone. */
Expected<std::shared_ptr<WhisperEngine>> LoadParakeet(const WhisperLoad& load);
Expected<Done> CheckParakeetFile(const std::string& path);

}  // namespace earshot
