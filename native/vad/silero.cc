// Voice activity: Silero's network on ONNX Runtime, many windows at once.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "ort/ort.h"
#include "vad/spans.h"
#include "vad/vad.h"

namespace earshot {

namespace {

constexpr size_t kWindow = SpeechSpans::kWindow;
/** Samples that the network reads for each window. */
constexpr size_t kInput = SpeechSpans::kWindow + SpeechSpans::kOverlap;
/** Of which it takes so many spectra; the last frame runs into the mirrored end. */
constexpr size_t kFrames = 4, kFrameSize = 256, kHop = 128;
constexpr size_t kPadding = (kFrames - 1) * kHop + kFrameSize - kInput;
constexpr size_t kState = 128;
/** Windows of one run, about a second. More are no faster and take more memory. */
constexpr size_t kBatch = 32;

using State = std::array<float, kState>;

class SileroVadSession final : public VadSession {
public:
	SileroVadSession(std::shared_ptr<const ort::Session> network, const SpeechRule& rule)
		: network_(std::move(network)), spans_(rule) {}

	Expected<VadSegments> Detect(Clip samples, bool last, const Cancel& cancel) override {
		return Guarded("engine_failed", "voice activity", [&]() -> Expected<VadSegments> {
			if (samples.size > UINT32_MAX - 2 * kWindow - total_) {
				return Failure{"engine_failed", "the recording is too long for voice activity"};
			}
			if (!pass_) {
				Expected<ort::Session::Pass> pass = ort::Session::Pass::Make(network_);
				if (!pass) return pass.failure();
				pass_ = std::move(*pass);
				frames_.resize(kBatch * kFrames * kFrameSize);
			}
			total_ += static_cast<uint32_t>(samples.size);
			VadSegments found;
			const float* at = samples.samples;
			size_t left = samples.size;
			while (rest_size_ + left >= kInput) {
				if (rest_size_ == 0) {
					Frame(at);
				} else {
					std::copy_n(at, kInput - rest_size_, rest_.begin() + rest_size_);
					Frame(rest_.data());
				}
				// What the next window reads too stays: where it is, for it is still there.
				const size_t done = std::min(kWindow, rest_size_);
				std::copy(rest_.begin() + done, rest_.begin() + rest_size_, rest_.begin());
				rest_size_ -= done;
				at += kWindow - done;
				left -= kWindow - done;
				if (waiting_ < kBatch) continue;
				if (Expected<Done> ran = Run(found, cancel); !ran) return ran.failure();
			}
			std::copy_n(at, left, rest_.begin() + rest_size_);
			rest_size_ += left;
			// A window without samples that the one before has not read is none.
			if (last && rest_size_ > kWindow) {
				std::fill(rest_.begin() + rest_size_, rest_.end(), 0.0F);
				Frame(rest_.data());
			}
			if (waiting_ > 0) {
				if (Expected<Done> ran = Run(found, cancel); !ran) return ran.failure();
			}
			if (last) spans_.Finish(found.spans);
			found.open = spans_.open();
			found.settled = last ? total_ : spans_.settled();
			return found;
		});
	}

private:
	/** The frames of one window, for the next run. */
	void Frame(const float* window) {
		float* into = frames_.data() + waiting_ * kFrames * kFrameSize;
		for (size_t frame = 0; frame + 1 < kFrames; frame++) {
			into = std::copy_n(window + frame * kHop, kFrameSize, into);
		}
		into = std::copy(window + (kFrames - 1) * kHop, window + kInput, into);
		// Mirrored around the last sample, which is not repeated.
		std::reverse_copy(window + kInput - 1 - kPadding, window + kInput - 1, into);
		waiting_++;
	}

	Expected<Done> Run(VadSegments& found, const Cancel& cancel) {
		const auto windows = static_cast<int64_t>(waiting_);
		const std::vector<int64_t> state = {1, 1, kState};
		Expected<Done> ran = pass_->Run(
			{{"frames", frames_.data(), {windows * static_cast<int64_t>(kFrames), kFrameSize}},
				{"h", hidden_.data(), state}, {"c", cell_.data(), state}},
			{{"chances", chances_.data(), {windows, 1}}, {"next_h", next_hidden_.data(), state},
				{"next_c", next_cell_.data(), state}},
			cancel);
		if (!ran) return ran;
		std::swap(hidden_, next_hidden_);
		std::swap(cell_, next_cell_);
		for (size_t window = 0; window < waiting_; window++) spans_.Push(chances_[window], found.spans);
		waiting_ = 0;
		return Done{};
	}

	const std::shared_ptr<const ort::Session> network_;
	std::optional<ort::Session::Pass> pass_;
	SpeechSpans spans_;
	/** The samples from the next window's start on, while they are not all there. */
	std::array<float, kInput> rest_;
	size_t rest_size_ = 0;
	/** Samples given. */
	uint32_t total_ = 0;
	/** Windows framed and not run yet. */
	size_t waiting_ = 0;
	std::vector<float> frames_;
	std::array<float, kBatch> chances_;
	/** What the network remembers of the windows before, and where it writes what it then does. */
	State hidden_{}, cell_{}, next_hidden_{}, next_cell_{};
};

class SileroActivity final : public VoiceActivity {
public:
	SileroActivity(std::shared_ptr<const ort::Session> network, const SpeechRule& rule)
		: network_(std::move(network)), rule_(rule) {}

	std::shared_ptr<VadSession> NewSession() override { return std::make_shared<SileroVadSession>(network_, rule_); }

private:
	const std::shared_ptr<const ort::Session> network_;
	const SpeechRule rule_;
};

}  // namespace

std::shared_ptr<VoiceActivity> VoiceActivity::Over(std::shared_ptr<const ort::Session> network, const SpeechRule& rule) {
	return std::make_shared<SileroActivity>(std::move(network), rule);
}

}  // namespace earshot
