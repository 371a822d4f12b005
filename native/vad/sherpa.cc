// Voice activity detection by sherpa-onnx: Silero or TEN.
#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "platform/platform.h"
#include "sherpa/api.h"
#include "vad/spans.h"
#include "vad/vad.h"

namespace earshot {

namespace {

/** Window sizes: 32 ms for Silero, 16 ms for TEN. The detector must get exactly one window per call: with larger blocks
 * the boundaries of spans are less exact. */
constexpr int32_t kSileroWindow = SpeechSpans::kWindow;
constexpr int32_t kTenWindow = 256;
/** Initial size of the detector's buffer; it grows for longer spans. */
constexpr float kBufferSeconds = 60;

using Detector = std::unique_ptr<const sherpa::Detector, void (*)(const sherpa::Detector*)>;

class SherpaVad final : public VoiceActivity, public std::enable_shared_from_this<SherpaVad> {
public:
	SherpaVad(std::shared_ptr<const sherpa::Library> library, SherpaDetectorLoad load, const VadOptions& options)
		: library_(std::move(library)), load_(std::move(load)), options_(options) {}

	std::shared_ptr<VadSession> NewSession() override;

	const sherpa::Library& library() const { return *library_; }
	int32_t overlap() const { return load_.overlap; }
	const VadOptions& options() const { return options_; }
	int32_t window() const { return load_.ten ? kTenWindow : kSileroWindow; }

	/** A free detector, or a new one: parallel sessions cannot share one. */
	Expected<Detector> Borrow() {
		{
			const std::lock_guard lock(mutex_);
			if (!free_.empty()) {
				Detector detector = std::move(free_.back());
				free_.pop_back();
				return detector;
			}
		}
		sherpa::Padded<sherpa::VadConfig> padded;
		sherpa::VadConfig& config = padded.config;
		sherpa::SileroVad& network = load_.ten ? config.ten_vad : config.silero_vad;
		network.model = load_.path.c_str();
		network.threshold = options_.threshold;
		network.min_silence_duration = options_.min_silence_seconds;
		network.min_speech_duration = options_.min_speech_seconds;
		network.max_speech_duration = options_.max_speech_seconds;
		network.window_size = window();
		config.sample_rate = kSampleRate;
		config.num_threads = 1;
		config.provider = "cpu";
		Detector detector(library_->CreateVoiceActivityDetector(&config, kBufferSeconds),
			library_->DestroyVoiceActivityDetector);
		if (!detector) return Failure{"model_load_failed", "sherpa-onnx refused " + load_.path};
		return detector;
	}

	void Return(Detector detector) {
		library_->VoiceActivityDetectorReset(detector.get());
		const std::lock_guard lock(mutex_);
		free_.push_back(std::move(detector));
	}

private:
	const std::shared_ptr<const sherpa::Library> library_;
	const SherpaDetectorLoad load_;
	const VadOptions options_;
	std::mutex mutex_;
	std::vector<Detector> free_;  // guarded by mutex_
};

class SherpaVadSession final : public VadSession {
public:
	explicit SherpaVadSession(std::shared_ptr<SherpaVad> activity)
		: activity_(std::move(activity)), library_(activity_->library()), window_(activity_->window()) {}

	~SherpaVadSession() override {
		if (detector_) activity_->Return(std::move(detector_));
	}

	Expected<VadSegments> Push(Clip samples, bool last, const Cancel& cancel) override {
		return Guarded("engine_failed", "voice activity", [&]() -> Expected<VadSegments> {
			if (samples.size > static_cast<size_t>(INT32_MAX - 2 * kSileroWindow) - total_) {
				return Failure{"engine_failed", "the recording is too long for voice activity"};
			}
			if (!detector_) {
				auto detector = activity_->Borrow();
				if (!detector) return detector.failure();
				detector_ = std::move(*detector);
			}
			total_ += static_cast<uint32_t>(samples.size);
			VadSegments found;
			const float* at = samples.samples;
			size_t left = samples.size;
			while (rest_size_ + left >= static_cast<size_t>(window_)) {
				if (cancel.Requested()) return Cancelled();
				if (rest_size_ == 0) {
					Accept(at, found);
					at += window_;
					left -= static_cast<size_t>(window_);
				} else {
					const size_t missing = static_cast<size_t>(window_) - rest_size_;
					std::copy_n(at, missing, rest_ + rest_size_);
					Accept(rest_, found);
					rest_size_ = 0;
					at += missing;
					left -= missing;
				}
			}
			std::copy_n(at, left, rest_ + rest_size_);
			rest_size_ += left;
			if (last) Finish(found);
			found.open = open_;
			found.settled = last ? total_ : Settled();
			return found;
		});
	}

private:
	/** One window. */
	void Accept(const float* samples, VadSegments& found) {
		library_.VoiceActivityDetectorAcceptWaveform(detector_.get(), samples, window_);
		accepted_ += window_;
		// After every window: the detector keeps the samples of finished spans until they are popped.
		Drain(found);
		if (library_.VoiceActivityDetectorDetected(detector_.get()) == 0) open_ = -1;
		else if (open_ < 0) open_ = std::max<int64_t>(LookBack(), after_);
	}

	void Finish(VadSegments& found) {
		if (rest_size_ > 0) {
			std::fill(rest_ + rest_size_, rest_ + window_, 0.0F);
			Accept(rest_, found);
			rest_size_ = 0;
		}
		library_.VoiceActivityDetectorFlush(detector_.get());
		Drain(found);
		open_ = -1;
	}

	void Drain(VadSegments& found) {
		while (library_.VoiceActivityDetectorEmpty(detector_.get()) == 0) {
			const std::unique_ptr<const sherpa::SpeechSegment, void (*)(const sherpa::SpeechSegment*)> segment(
				library_.VoiceActivityDetectorFront(detector_.get()), library_.DestroySpeechSegment);
			library_.VoiceActivityDetectorPop(detector_.get());
			if (!segment || segment->n <= 0) continue;
			const auto began = static_cast<uint32_t>(std::max(segment->start, 0));
			const uint32_t start = std::max(after_, began);
			after_ = std::min(total_, began + static_cast<uint32_t>(segment->n));
			if (start < after_) found.spans.insert(found.spans.end(), {start, after_});
		}
	}

	/**
	 * Start of a span whose speech the detector finds in the window just accepted; computed here because the detector
	 * reports it only at the end of the span. With overlapping windows the detector lags one window behind.
	 */
	int64_t LookBack() const {
		const int32_t overlap = activity_->overlap();
		const int64_t tail = accepted_ - (overlap > 0 ? window_ : 0);
		const auto speech = static_cast<int32_t>(kSampleRate * activity_->options().min_speech_seconds);
		return std::max<int64_t>(0, tail - 2 * (window_ + overlap) - speech);
	}

	uint32_t Settled() const {
		if (open_ < 0) return std::max(after_, static_cast<uint32_t>(LookBack()));
		// A span ends this far before the window in which silence is detected.
		const auto min_silence = static_cast<int32_t>(kSampleRate * activity_->options().min_silence_seconds);
		const int64_t silence = std::max<int64_t>(min_silence, SpeechSpans::kForcedSplitSilence);
		return static_cast<uint32_t>(std::max(open_, accepted_ - window_ - silence));
	}

	const std::shared_ptr<SherpaVad> activity_;
	const sherpa::Library& library_;
	const int32_t window_;
	Detector detector_{nullptr, nullptr};
	/** Samples of an incomplete window. */
	float rest_[kSileroWindow] = {};
	size_t rest_size_ = 0;
	/** Samples received, and passed on to the detector. */
	uint32_t total_ = 0;
	int64_t accepted_ = 0;
	/** End of the last span. */
	uint32_t after_ = 0;
	int64_t open_ = -1;
};

std::shared_ptr<VadSession> SherpaVad::NewSession() {
	return std::make_shared<SherpaVadSession>(shared_from_this());
}

}  // namespace

Expected<std::shared_ptr<VoiceActivity>> VoiceActivity::Load(
	const SherpaDetectorLoad& load, const VadOptions& options) {
	auto library = sherpa::Library::Load(load.library_dir);
	if (!library) return library.failure();
	// sherpa-onnx ends the process if the file does not exist.
	const auto file = File::Open(load.path, "model_load_failed");
	if (!file) return file.failure();
	if ((*file)->size() == 0) return Failure{"model_load_failed", load.path + " is empty"};
	return Guarded("model_load_failed", "voice activity", [&]() -> Expected<std::shared_ptr<VoiceActivity>> {
		auto activity = std::make_shared<SherpaVad>(*library, load, options);
		// Create the first one now, to refuse a bad model here.
		auto detector = activity->Borrow();
		if (!detector) return detector.failure();
		activity->Return(std::move(*detector));
		return std::shared_ptr<VoiceActivity>(std::move(activity));
	});
}

}  // namespace earshot
