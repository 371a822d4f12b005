// sherpa-onnx as the bindings use it: recognizers of whole clips, and of streams.
#pragma once

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
	/** Of the library: `CPU`, `CUDA`, `CoreML`, … */
	std::vector<std::string> providers;
	/** What the library said where it took another provider than it was asked for; else empty. */
	std::string fallback;
};

/** Fields of the recognizer's configuration by dotted path. */
using SherpaConfig = std::map<std::string, std::variant<std::string, double>>;

struct SherpaLoad {
	std::string library_dir;
	SherpaConfig config;
	/** A recognizer of its own for clips with changes, since changing this one would spoil its features. */
	bool changes_apart = false;
	/** The library decodes one clip at a time without a race. */
	bool exclusive = false;
	/** ONNX file of a CT-transformer that punctuates the text; '' = none. */
	std::string punctuation;
};

/** Of a clip or a live stream. */
struct StreamOptions {
	std::map<std::string, std::string> stream;
	std::string hotwords;
};

struct SherpaOptions : StreamOptions {
	/** What differs from the configuration loaded, for this clip. */
	SherpaConfig changes;
};

/** One recognizer, which sherpa-onnx lets any number of threads use at once while its configuration stays. */
class SherpaEngine {
public:
	using Options = SherpaOptions;
	static Expected<std::shared_ptr<SherpaEngine>> Load(const SherpaLoad& load);
	virtual ~SherpaEngine() = default;
	virtual const SherpaInfo& info() const = 0;
	/** As WhisperEngine's. */
	virtual Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) = 0;
};

struct StreamingLoad {
	std::string library_dir;
	SherpaConfig config;
	/** Silence that the model needs behind the last word before it decodes it. */
	double tail_seconds = 0;
};

struct PartialResult {
	/** Since the last endpoint. Times are seconds from the start of the stream. */
	RawResult result;
	/** Somebody has stopped speaking: the result is final, and the next one begins anew. */
	bool endpoint = false;
};

/** One speaker. Any thread, one call at a time; of no more use after a failure or the last samples. */
class SpeechStream {
public:
	virtual ~SpeechStream() = default;
	/** Decodes what these samples complete. `last`: nothing follows, and the result is final. */
	virtual Expected<PartialResult> Feed(Clip samples, bool last, const Cancel& cancel) = 0;
};

/** One recognizer for any number of streams and clips at once, on any threads. */
class StreamingEngine : public SherpaEngine {
public:
	static Expected<std::shared_ptr<StreamingEngine>> Load(const StreamingLoad& load);
	virtual std::shared_ptr<SpeechStream> Stream(const StreamOptions& options) = 0;
};

Expected<SherpaInfo> ReadSherpaVersion(const std::string& library_dir);

}  // namespace earshot
