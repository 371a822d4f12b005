// The engine of whisper.cpp, and of its Parakeet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"
#include "core/result.h"
#include "whisper/options.h"

namespace earshot {

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
