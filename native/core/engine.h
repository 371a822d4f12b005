// What an engine is to the bindings: a clip goes in, a RawResult comes out, on a thread of the pool.
#pragma once

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/failure.h"
#include "kernels/int_matrix.h"

namespace earshot {

namespace ort {
class Session;
}

constexpr int kSampleRate = 16000;
constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

/** Raised once, for good. Any thread. */
class Signal {
public:
	/** Calls its function when the signal is raised, on the thread that raises it; at once if it has been. Once
	 * destroyed it is not called any more, and no call is running. The function must not wait. */
	class Listener {
	public:
		Listener(Signal& signal, std::function<void()> call) : signal_(signal), call_(std::move(call)) {
			const std::lock_guard lock(signal_.mutex_);
			if (signal_.Raised()) call_();
			signal_.listeners_.push_back(this);
		}
		~Listener() {
			const std::lock_guard lock(signal_.mutex_);
			std::erase(signal_.listeners_, this);
		}
		Listener(const Listener&) = delete;
		Listener& operator=(const Listener&) = delete;

	private:
		friend class Signal;
		Signal& signal_;
		const std::function<void()> call_;
	};

	void Raise() {
		const std::lock_guard lock(mutex_);
		if (raised_.exchange(true)) return;
		for (const Listener* listener : listeners_) listener->call_();
	}
	bool Raised() const { return raised_.load(std::memory_order_relaxed); }

private:
	std::atomic<bool> raised_{false};
	std::mutex mutex_;
	std::vector<Listener*> listeners_;  // guarded by mutex_
};

/** Asked from the thread that works, set from the JavaScript thread. */
class Cancel {
public:
	/** `exiting` is raised once, when the environment goes away. */
	explicit Cancel(std::shared_ptr<Signal> exiting) : exiting_(std::move(exiting)) {}
	void Request() { requested_.Raise(); }
	bool Requested() const { return requested_.Raised() || exiting_->Raised(); }

	/** For libraries that do not ask. Signal's Listener says when it is called. */
	class Listener {
	public:
		Listener(const Cancel& cancel, const std::function<void()>& call)
			: requested_(cancel.requested_, call), exiting_(*cancel.exiting_, call) {}

	private:
		Signal::Listener requested_, exiting_;
	};

private:
	mutable Signal requested_;
	std::shared_ptr<Signal> exiting_;
};

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/** Hands an engine's line to every sink that JavaScript has set, or drops it. Never waits. Any thread. */
void Log(LogLevel level, std::string line);

inline Failure Cancelled() { return {"cancelled", "the clip was cancelled"}; }

/** A view into an array of JavaScript's, which the bindings keep alive while the clip runs. */
struct Clip {
	const float* samples = nullptr;
	size_t size = 0;

	double Seconds() const { return static_cast<double>(size) / kSampleRate; }
};

/** RawResult of binding.d.ts. Times are seconds from the clip's start. */
struct RawResult {
	struct Segment {
		double token_end, start, end, logprob, no_speech, temperature, seek, begin_token, end_token;
	};
	static constexpr size_t kSegmentFields = sizeof(Segment) / sizeof(double);  // SEGMENT_FIELDS
	static_assert(kSegmentFields == 9);

	std::string bytes;
	std::vector<uint32_t> token_ends;
	std::vector<int32_t> token_ids;
	std::vector<float> token_times;
	std::vector<float> token_logprobs;
	std::vector<Segment> segments;
	std::vector<double> cuts;
	/** A decode failed its checks under `first_try_only`: of the rest `decoded_tokens` alone is told. */
	bool failed = false;
	/** Tokens that Whisper's decoder has computed; 0 where the library does not tell. */
	size_t decoded_tokens = 0;
	std::string text, language, emotion, event;

	void AddToken(std::string_view token, int32_t id, float start, float end, float logprob);
	void AddSegment(double start, double end, double logprob, double no_speech, double temperature, double seek = 0,
		double begin_token = kUnknown, double end_token = kUnknown);
};

inline void RawResult::AddToken(std::string_view token, int32_t id, float start, float end, float logprob) {
	bytes.append(token);
	token_ends.push_back(static_cast<uint32_t>(bytes.size()));
	token_ids.push_back(id);
	token_times.push_back(start);
	token_times.push_back(end);
	token_logprobs.push_back(logprob);
}

/** Closes a segment after the tokens added so far. */
inline void RawResult::AddSegment(double start, double end, double logprob, double no_speech, double temperature,
	double seek, double begin_token, double end_token) {
	segments.push_back({static_cast<double>(token_ends.size()), start, end, logprob, no_speech, temperature, seek,
		begin_token, end_token});
}

/** One clip of a batch, and whether anybody waits for it still. */
struct Job {
	Clip clip;
	std::shared_ptr<const Cancel> cancel;
};

/** Takes the result of the batch's n-th clip, each once. Any thread; never waits, never throws. */
using Tell = std::function<void(size_t, Expected<RawResult>)>;

// ---- whisper.cpp -------------------------------------------------------------------------------

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
	/** Clips of a batch that are decoded together with gain; 1 = they come one after the other. */
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
	/** Positions of 20 ms that the encoder hears; 0 = all that the model has. */
	int audio_context = 0;
	/** The same of each clip of a batch; empty = `audio_context` for all. */
	std::vector<int> audio_contexts;
	/** Ends where a decode fails its checks, instead of going up the temperature ladder. */
	bool first_try_only = false;
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
	/** Tells of each clip when it is done. A failure is that of all which it has not told of. */
	virtual Expected<Done> Transcribe(const std::vector<Job>& jobs, const Options& options, const Tell& tell) = 0;
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

// ---- sherpa-onnx -------------------------------------------------------------------------------

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

/** Of a clip, or of somebody who speaks. */
struct HearingOptions {
	std::map<std::string, std::string> stream;
	std::string hotwords;
};

struct SherpaOptions : HearingOptions {
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
	virtual Expected<Done> Transcribe(const std::vector<Job>& jobs, const Options& options, const Tell& tell) = 0;
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
	virtual std::shared_ptr<SpeechStream> Stream(const HearingOptions& options) = 0;
};

Expected<SherpaInfo> ReadSherpaVersion(const std::string& library_dir);

// ---- voice activity ----------------------------------------------------------------------------

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

/** What a search has found, in samples from the start of the recording. */
struct Heard {
	/** Spans that have ended since the last call: start0, end0, start1, … in order, not overlapping. */
	std::vector<uint32_t> spans;
	/** Start of the span that still goes on; -1 where nobody speaks. */
	int64_t open = -1;
	/** The open span ends after this; where there is none, the next one does not start before it. */
	uint32_t settled = 0;
};

/** One recording's. Any thread, one call at a time; of no more use after a failure or the last samples. */
class SpeechSearch {
public:
	virtual ~SpeechSearch() = default;
	/** `last`: the recording ends with these samples. */
	virtual Expected<Heard> Hear(Clip samples, bool last, const Cancel& cancel) = 0;
};

/** Finds speech in any number of recordings at once. Any thread. */
class VoiceActivity {
public:
	/** sherpa-onnx's detectors are single-owner: each search borrows one and leaves it behind for the next. */
	static Expected<std::shared_ptr<VoiceActivity>> Load(const SherpaDetectorLoad& load, const SpeechRule& rule);
	/** Silero's network on ONNX Runtime, as SpeechNetworkLoad of binding.d.ts has it; searches share it. */
	static std::shared_ptr<VoiceActivity> Over(std::shared_ptr<const ort::Session> network, const SpeechRule& rule);
	virtual ~VoiceActivity() = default;
	virtual std::shared_ptr<SpeechSearch> Search() = 0;
};

}  // namespace earshot
