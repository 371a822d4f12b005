// Voice activity: Silero or TEN through sherpa-onnx's detector.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include "engine.h"
#include "sherpa_api.h"

namespace earshot {

namespace {

/** A network's window: Silero's is 32 ms, TEN's 16 ms. The detector must be fed exactly these: larger blocks blur
 * the boundaries. */
constexpr int32_t kSileroWindow = 512;
constexpr int32_t kTenWindow = 256;
/** What the detector keeps at first; it grows when a span is longer. */
constexpr float kBufferSeconds = 60;

using Detector = std::unique_ptr<const sherpa::Detector, void (*)(const sherpa::Detector*)>;

class NetworkActivity final : public VoiceActivity {
public:
	NetworkActivity(std::shared_ptr<const sherpa::Library> library, VoiceActivityLoad load)
		: library_(std::move(library)), load_(std::move(load)), window_(load_.ten ? kTenWindow : kSileroWindow) {}

	Expected<std::vector<uint32_t>> Detect(Clip clip, const Cancel& cancel) override {
		return Guarded("engine_failed", "voice activity", [&]() -> Expected<std::vector<uint32_t>> {
			if (clip.size > INT32_MAX - 2 * kSileroWindow) {
				return Failure{"engine_failed", "the recording is too long for voice activity"};
			}
			auto detector = Borrow();
			if (!detector) return detector.failure();
			auto spans = Run(detector->get(), clip, cancel);
			library_->VoiceActivityDetectorReset(detector->get());
			const std::lock_guard lock(mutex_);
			free_.push_back(std::move(*detector));
			return spans;
		});
	}

	/** A free detector or a new one: its session has one thread, so parallel calls each need their own. */
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
		network.threshold = load_.threshold;
		network.min_silence_duration = load_.min_silence_seconds;
		network.min_speech_duration = load_.min_speech_seconds;
		network.max_speech_duration = load_.max_speech_seconds;
		network.window_size = window_;
		config.sample_rate = kSampleRate;
		config.num_threads = 1;
		config.provider = "cpu";
		Detector detector(library_->CreateVoiceActivityDetector(&config, kBufferSeconds),
			library_->DestroyVoiceActivityDetector);
		if (!detector) return Failure{"model_load_failed", "sherpa-onnx refused " + load_.path};
		return detector;
	}

	void Return(Detector detector) {
		const std::lock_guard lock(mutex_);
		free_.push_back(std::move(detector));
	}

private:
	Expected<std::vector<uint32_t>> Run(const sherpa::Detector* detector, Clip clip, const Cancel& cancel) {
		std::vector<uint32_t> spans;
		const auto size = static_cast<uint32_t>(clip.size);
		const auto drain = [&] {
			while (library_->VoiceActivityDetectorEmpty(detector) == 0) {
				const std::unique_ptr<const sherpa::SpeechSegment, void (*)(const sherpa::SpeechSegment*)> segment(
					library_->VoiceActivityDetectorFront(detector), library_->DestroySpeechSegment);
				library_->VoiceActivityDetectorPop(detector);
				if (!segment || segment->n <= 0) continue;
				const uint32_t after = spans.empty() ? 0 : spans.back();
				const auto start = std::max(after, static_cast<uint32_t>(std::max(segment->start, 0)));
				const auto end = std::min(size, static_cast<uint32_t>(std::max(segment->start, 0) + segment->n));
				if (start < end) spans.insert(spans.end(), {start, end});
			}
		};
		for (size_t at = 0; at < clip.size; at += static_cast<size_t>(window_)) {
			if (cancel.Requested()) return Cancelled();
			const size_t left = clip.size - at;
			if (left >= static_cast<size_t>(window_)) {
				library_->VoiceActivityDetectorAcceptWaveform(detector, clip.samples + at, window_);
			} else {
				float last[kSileroWindow] = {};
				std::copy_n(clip.samples + at, left, last);
				library_->VoiceActivityDetectorAcceptWaveform(detector, last, window_);
			}
			// As it goes: each finished span is held with its samples until it is taken.
			drain();
		}
		library_->VoiceActivityDetectorFlush(detector);
		drain();
		return spans;
	}

	const std::shared_ptr<const sherpa::Library> library_;
	const VoiceActivityLoad load_;
	const int32_t window_;
	std::mutex mutex_;
	std::vector<Detector> free_;  // guarded by mutex_
};

}  // namespace

Expected<std::shared_ptr<VoiceActivity>> VoiceActivity::Load(const VoiceActivityLoad& load) {
	auto library = sherpa::Library::Load(load.library_dir);
	if (!library) return library.failure();
	// The library ends the process where it finds no file.
	struct stat stat {};
	if (::stat(load.path.c_str(), &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_size == 0) {
		return Failure{"model_load_failed", load.path + " is not a model file"};
	}
	return Guarded("model_load_failed", "voice activity", [&]() -> Expected<std::shared_ptr<VoiceActivity>> {
		auto activity = std::make_shared<NetworkActivity>(*library, load);
		// The first one now, so that a bad model is refused here.
		auto detector = activity->Borrow();
		if (!detector) return detector.failure();
		activity->Return(std::move(*detector));
		return std::shared_ptr<VoiceActivity>(std::move(activity));
	});
}

}  // namespace earshot
