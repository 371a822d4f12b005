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
	/** TEN VAD; otherwise Silero. */
	bool ten = false;
	/** Samples that each window shares with the previous one: 64 for Silero v5 and later, else 0. */
	int overlap = 0;
};

/** What counts as a span of speech; see VoiceActivityLoad in binding.d.ts. */
struct VadOptions {
	float threshold = 0.5F;
	float min_silence_seconds = 0;
	float min_speech_seconds = 0;
	float max_speech_seconds = 0;
};

/** Speech detected so far; positions are samples from the start of the recording. */
struct VadSegments {
	/** Spans that have ended since the last call: start0, end0, start1, … in order, not overlapping. */
	std::vector<uint32_t> spans;
	/** Start of the span that has not ended yet; -1 if there is none. */
	int64_t open = -1;
	/** The open span ends after this position; if none is open, the next span does not start before it. */
	uint32_t settled = 0;
};

/** Detection on one recording. Any thread, one call at a time. Cannot be used after a failure or the last samples. */
class VadSession {
public:
	virtual ~VadSession() = default;
	/** `last`: the recording ends with these samples. */
	virtual Expected<VadSegments> Push(Clip samples, bool last, const Cancel& cancel) = 0;
};

/** A loaded detector; runs any number of sessions in parallel. Any thread. */
class VoiceActivity {
public:
	/** sherpa-onnx. Its detectors hold the state of one recording, so each session borrows one from a pool. */
	static Expected<std::shared_ptr<VoiceActivity>> Load(const SherpaDetectorLoad& load, const VadOptions& options);
	/** Silero on ONNX Runtime, with the graph described at SpeechNetworkLoad in binding.d.ts; shared by all sessions. */
	static std::shared_ptr<VoiceActivity> FromSession(
		std::shared_ptr<const ort::Session> network, const VadOptions& options);
	virtual ~VoiceActivity() = default;
	virtual std::shared_ptr<VadSession> NewSession() = 0;
};

}  // namespace earshot
