// Voice activity detection as the bindings use it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"

namespace earshot {

namespace ort {
class Session;
}

struct SherpaDetectorLoad {
	std::string library_dir, path;
	/** A model in the shape of TEN VAD, otherwise of Silero. */
	bool ten = false;
	/** Samples that a window keeps of the one before: 64 for Silero from v5 on, else 0. */
	int overlap = 0;
};

/** When windows are a span. VoiceActivityLoad of binding.d.ts says what each is. */
struct SpeechRule {
	float threshold = 0.5F;
	float min_silence_seconds = 0;
	float min_speech_seconds = 0;
	float max_speech_seconds = 0;
};

/** What a session has found, in samples from the start of the recording. */
struct VadSegments {
	/** Spans that have ended since the last call: start0, end0, start1, … in order, not overlapping. */
	std::vector<uint32_t> spans;
	/** Start of the span that still goes on; -1 without speech. */
	int64_t open = -1;
	/** The open span ends after this; where there is none, the next one does not start before it. */
	uint32_t settled = 0;
};

/** One recording's. Any thread, one call at a time; of no more use after a failure or the last samples. */
class VadSession {
public:
	virtual ~VadSession() = default;
	/** `last`: the recording ends with these samples. */
	virtual Expected<VadSegments> Detect(Clip samples, bool last, const Cancel& cancel) = 0;
};

/** Finds speech in any number of recordings at once. Any thread. */
class VoiceActivity {
public:
	/** sherpa-onnx's detectors are single-owner: each session borrows one and leaves it behind for the next. */
	static Expected<std::shared_ptr<VoiceActivity>> Load(const SherpaDetectorLoad& load, const SpeechRule& rule);
	/** Silero's network on ONNX Runtime, as SpeechNetworkLoad of binding.d.ts has it; sessions share it. */
	static std::shared_ptr<VoiceActivity> Over(std::shared_ptr<const ort::Session> network, const SpeechRule& rule);
	virtual ~VoiceActivity() = default;
	virtual std::shared_ptr<VadSession> NewSession() = 0;
};

}  // namespace earshot
