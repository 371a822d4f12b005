#include "audio/resampler.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
}

#include "audio/decoding.h"
#include "core/clip.h"

namespace earshot::audio {

bool Resampler::Feed(const AVFrame* frame, Samples& out) {
	if (frame != nullptr && !Prepare(*frame, out)) return false;
	if (!swr_) return true;
	const int in_count = frame == nullptr ? 0 : frame->nb_samples;
	const int capacity = swr_get_out_samples(swr_.get(), in_count);
	if (capacity < 0) return false;
	float* into = out.Extend(static_cast<size_t>(capacity) + 64);
	auto* plane = reinterpret_cast<uint8_t*>(into);
	const int got = swr_convert(swr_.get(), &plane, capacity + 64,
		frame == nullptr ? nullptr : const_cast<const uint8_t**>(frame->extended_data), in_count);
	if (got < 0) return false;
	MakeSane(into, static_cast<size_t>(got));
	out.Commit(static_cast<size_t>(got));
	return true;
}

bool Resampler::Prepare(const AVFrame& frame, Samples& out) {
	const int channels = frame.ch_layout.nb_channels;
	if (channels < 1 || channels > kMaxChannels || frame.sample_rate < kMinRate || frame.sample_rate > kMaxRate ||
		frame.nb_samples < 0 || frame.extended_data == nullptr) {
		return false;
	}
	if (swr_ && frame.sample_rate == rate_ && frame.format == format_ && channels == channels_) return true;
	if (swr_) Feed(nullptr, out);
	swr_ = Make(frame, false);
	// swresample cannot mix this layout down: average the channels.
	if (!swr_) swr_ = Make(frame, true);
	rate_ = frame.sample_rate;
	format_ = frame.format;
	channels_ = channels;
	return swr_ != nullptr;
}

std::unique_ptr<SwrContext, SwrFree> Resampler::Make(const AVFrame& frame, bool average) {
	AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
	AVChannelLayout layout = {};
	const int channels = frame.ch_layout.nb_channels;
	if (frame.ch_layout.order == AV_CHANNEL_ORDER_NATIVE && !average) {
		if (av_channel_layout_copy(&layout, &frame.ch_layout) < 0) return nullptr;
	} else if (!average) {
		av_channel_layout_default(&layout, channels);
	} else {
		layout.order = AV_CHANNEL_ORDER_UNSPEC;
		layout.nb_channels = channels;
	}
	SwrContext* made = nullptr;
	const int result = swr_alloc_set_opts2(&made, &mono, AV_SAMPLE_FMT_FLT, kSampleRate, &layout,
		static_cast<AVSampleFormat>(frame.format), frame.sample_rate, 0, nullptr);
	av_channel_layout_uninit(&layout);
	std::unique_ptr<SwrContext, SwrFree> swr(made);
	if (result < 0 || !swr) return nullptr;
	// The default of 32 taps lets 8.5 kHz alias into the speech band at -26 dB.
	av_opt_set_int(swr.get(), "filter_size", 64, 0);
	// Mixing weights sum to 1: otherwise a voice in both channels gets 3 dB louder and clips.
	av_opt_set_double(swr.get(), "rematrix_maxval", 1.0, 0);
	if (average) {
		const std::vector<double> weights(static_cast<size_t>(channels), 1.0 / channels);
		if (swr_set_matrix(swr.get(), weights.data(), channels) < 0) return nullptr;
	}
	if (swr_init(swr.get()) < 0) return nullptr;
	return swr;
}

namespace {

class SwrMono final : public MonoResampler {
public:
	/** Takes ownership of `frame`, which has no data. */
	SwrMono(AVFrame* frame, int rate) : frame_(frame) {
		frame_->format = AV_SAMPLE_FMT_FLT;
		frame_->sample_rate = rate;
		av_channel_layout_default(&frame_->ch_layout, 1);
	}

	Expected<Done> Feed(const float* samples, size_t count, bool last, Samples& out) override {
		frame_->data[0] = reinterpret_cast<uint8_t*>(const_cast<float*>(samples));
		frame_->nb_samples = static_cast<int>(count);
		if (!resampler_.Feed(frame_.get(), out)) return OutOfMemory();
		if (last) resampler_.Feed(nullptr, out);
		return Done{};
	}

private:
	Resampler resampler_;
	/** Refers to the caller's samples. */
	std::unique_ptr<AVFrame, FrameFree> frame_;
};

}  // namespace

Expected<std::unique_ptr<MonoResampler>> MonoResampler::Make(int rate, int64_t) {
	AVFrame* frame = av_frame_alloc();
	if (frame == nullptr) return OutOfMemory();
	return std::unique_ptr<MonoResampler>(std::make_unique<SwrMono>(frame, rate));
}

}  // namespace earshot::audio
