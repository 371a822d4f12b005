// sherpa-onnx: offline recognizers for whole clips, streaming ones for live audio.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/cancel.h"
#include "core/clip.h"
#include "core/failure.h"
#include "core/result.h"

namespace earshot {

struct SherpaInfo {
	std::string version, onnxruntime, git_sha;
	/** Execution providers of the library: `CPU`, `CUDA`, `CoreML`, … */
	std::vector<std::string> providers;
	/** The library's message if it used the CPU instead of the requested provider; else empty. */
	std::string fallback;
};

/** Fields of a recognizer's configuration by dotted path. */
using SherpaConfig = std::map<std::string, std::variant<std::string, double>>;

struct SherpaLoad {
	std::string library_dir;
	SherpaConfig config;
	/** Use a second recognizer for clips with changes, since changing the first would corrupt its features. */
	bool changes_apart = false;
	/** Decode one clip at a time: the library has a data race with more. */
	bool exclusive = false;
	/** ONNX file of a CT-transformer that adds punctuation; empty = none. */
	std::string punctuation;
};

/** Options of a clip or a live stream. */
struct StreamOptions {
	std::map<std::string, std::string> stream;
	std::string hotwords;
};

struct SherpaOptions : StreamOptions {
	/** Fields that differ from the loaded configuration for this clip. */
	SherpaConfig changes;
};

/** One recognizer. Any thread; clips with equal configuration run in parallel. */
class SherpaEngine {
public:
	using Options = SherpaOptions;
	static Expected<std::shared_ptr<SherpaEngine>> Load(const SherpaLoad& load);
	virtual ~SherpaEngine() = default;
	virtual const SherpaInfo& info() const = 0;
	/** Reports each clip when it is done. A failure applies to all clips not reported. */
	virtual Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) = 0;
};

struct StreamingLoad {
	std::string library_dir;
	SherpaConfig config;
	/** Silence appended at the end, since the model decodes only complete chunks. */
	double tail_seconds = 0;
	/** Live streams that are decoded in one batch; 1 if batching would change results, or the files do not support it. */
	size_t batch = 1;
	/** Threads that decode live streams at the same time. */
	size_t threads = 1;
};

/** Times are seconds from the start of the stream. */
struct PartialResult {
	/** The utterances that ended within the piece, before what `result` is of. */
	std::vector<RawResult> ended;
	/** The text since the last endpoint. */
	RawResult result;
	/** The utterance has ended: the result is final, and the next one starts empty. */
	bool endpoint = false;
};

/** What a live stream is fed at a time. */
struct StreamPiece {
	/** 16 kHz. */
	std::vector<float> samples;
	/** The stream ends here. */
	bool last = false;
	/** Of silence that the last piece, or the ones before it, end with: so much less is appended. */
	double silent_seconds = 0;
};

/** One live stream. Any thread, one call at a time. Cannot be used after a failure or the last samples. */
class SpeechStream {
public:
	using OnPartial = std::function<void(Expected<PartialResult>)>;
	virtual ~SpeechStream() = default;
	/**
	 * Decodes the chunks that the piece completes, together with those of other streams; the result of the last one is
	 * final. Returns at once; `on_partial` is called once, by a thread that is in DecodeAll. True: one
	 * more thread must call DecodeAll.
	 */
	[[nodiscard]] virtual bool Feed(
		StreamPiece piece, std::shared_ptr<const Cancel> cancel, OnPartial on_partial) = 0;
	/** Decodes the audio of all streams of the model, until none is left. */
	virtual void DecodeAll() = 0;
};

/** One recognizer for any number of streams and clips in parallel. Any thread. */
class StreamingEngine : public SherpaEngine {
public:
	static Expected<std::shared_ptr<StreamingEngine>> Load(const StreamingLoad& load);
	virtual std::shared_ptr<SpeechStream> Stream(const StreamOptions& options) = 0;
};

Expected<SherpaInfo> ReadSherpaVersion(const std::string& library_dir);

}  // namespace earshot
