// Voice activity detection by Silero's network on ONNX Runtime, many windows per run.
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
/** Samples of one window with its overlap. */
constexpr size_t kInput = SpeechSpans::kWindow + SpeechSpans::kOverlap;
/** STFT frames of a window; the last one extends into the mirrored padding. */
constexpr size_t kFrames = 4, kFrameSize = 256, kHop = 128;
constexpr size_t kPadding = (kFrames - 1) * kHop + kFrameSize - kInput;
constexpr size_t kState = 128;
/** Windows per run, about a second. More are no faster and take more memory. */
constexpr size_t kBatch = 32;

using State = std::array<float, kState>;

class SileroVadSession final : public VadSession {
public:
	SileroVadSession(std::shared_ptr<const ort::Session> network, const VadOptions& options)
		: network_(std::move(network)), spans_(options) {}

	Expected<VadSegments> Push(Clip samples, bool last, const Cancel& cancel) override {
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
				// Keep the overlap with the next window.
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
			// The overlap alone is not a window.
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
	/** Adds the frames of one window to the next run. */
	void Frame(const float* window) {
		float* into = frames_.data() + waiting_ * kFrames * kFrameSize;
		for (size_t frame = 0; frame + 1 < kFrames; frame++) {
			into = std::copy_n(window + frame * kHop, kFrameSize, into);
		}
		into = std::copy(window + (kFrames - 1) * kHop, window + kInput, into);
		// Mirrored around the last sample, without repeating it.
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
	/** Samples of the next, incomplete window. */
	std::array<float, kInput> rest_;
	size_t rest_size_ = 0;
	/** Samples received. */
	uint32_t total_ = 0;
	/** Windows framed but not run yet. */
	size_t waiting_ = 0;
	std::vector<float> frames_;
	std::array<float, kBatch> chances_;
	/** The LSTM's state, and where a run writes the next one. */
	State hidden_{}, cell_{}, next_hidden_{}, next_cell_{};
};

class SileroVad final : public VoiceActivity {
public:
	SileroVad(std::shared_ptr<const ort::Session> network, const VadOptions& options)
		: network_(std::move(network)), options_(options) {}

	std::shared_ptr<VadSession> NewSession() override { return std::make_shared<SileroVadSession>(network_, options_); }

private:
	const std::shared_ptr<const ort::Session> network_;
	const VadOptions options_;
};

}  // namespace

std::shared_ptr<VoiceActivity> VoiceActivity::FromSession(
	std::shared_ptr<const ort::Session> network, const VadOptions& options) {
	return std::make_shared<SileroVad>(std::move(network), options);
}

}  // namespace earshot
