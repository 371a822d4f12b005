#include "audio/ffmpeg/frames.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/samplefmt.h>
#include <libswresample/swresample.h>
}

#include "core/clip.h"

namespace earshot::audio {

namespace {

/** A frame may be seconds long and have 64 channels; it is taken in pieces of this length. */
constexpr size_t kPiece = 4096;

/** Some samples of one channel. */
struct Piece {
	int channel;
	size_t from, count;
};

template <class Sample>
void Convert(const AVFrame& frame, Piece piece, double full, double zero, float* into) {
	const bool planar = av_sample_fmt_is_planar(static_cast<AVSampleFormat>(frame.format)) != 0;
	const auto step = planar ? size_t{1} : static_cast<size_t>(frame.ch_layout.nb_channels);
	const auto* samples = reinterpret_cast<const Sample*>(frame.extended_data[planar ? piece.channel : 0]) +
		(planar ? 0 : piece.channel) + piece.from * step;
	for (size_t i = 0; i < piece.count; i++) {
		into[i] = static_cast<float>((static_cast<double>(samples[i * step]) - zero) / full);
	}
}

/** False for a format that no audio decoder produces. */
bool ToFloats(const AVFrame& frame, Piece piece, float* into) {
	switch (av_get_packed_sample_fmt(static_cast<AVSampleFormat>(frame.format))) {
		case AV_SAMPLE_FMT_U8: Convert<uint8_t>(frame, piece, 128, 128, into); break;
		case AV_SAMPLE_FMT_S16: Convert<int16_t>(frame, piece, 32768, 0, into); break;
		case AV_SAMPLE_FMT_S32: Convert<int32_t>(frame, piece, 2147483648.0, 0, into); break;
		case AV_SAMPLE_FMT_S64: Convert<int64_t>(frame, piece, 9223372036854775808.0, 0, into); break;
		case AV_SAMPLE_FMT_FLT: Convert<float>(frame, piece, 1, 0, into); break;
		case AV_SAMPLE_FMT_DBL: Convert<double>(frame, piece, 1, 0, into); break;
		default: return false;
	}
	Sanitize(into, piece.count);
	return true;
}

/** FFmpeg's weights of the channels in a mix to one, which add up to 1 at most; for a layout that it cannot mix, all
 * weights are equal. */
std::vector<float> MixWeights(const AVFrame& frame) {
	const auto count = static_cast<size_t>(frame.ch_layout.nb_channels);
	AVChannelLayout layout = {}, mono = AV_CHANNEL_LAYOUT_MONO;
	// swr_build_matrix2 writes to the whole matrix for every layout.
	std::vector<double> matrix(kMaxChannels * kMaxChannels);
	int result = -1;
	if (frame.ch_layout.order == AV_CHANNEL_ORDER_NATIVE) result = av_channel_layout_copy(&layout, &frame.ch_layout);
	else av_channel_layout_default(&layout, frame.ch_layout.nb_channels);
	if (layout.order == AV_CHANNEL_ORDER_NATIVE) {
		result = swr_build_matrix2(&layout, &mono, M_SQRT1_2, M_SQRT1_2, 0, 1, 1, matrix.data(),
			kMaxChannels, AV_MATRIX_ENCODING_NONE, nullptr);
	}
	av_channel_layout_uninit(&layout);
	std::vector<float> weights(count, 1.0F / static_cast<float>(count));
	if (result < 0) return weights;
	for (size_t c = 0; c < count; c++) weights[c] = static_cast<float>(matrix[c]);
	return weights;
}

}  // namespace

bool FrameMixer::Feed(const AVFrame& frame, Samples& out) {
	if (!Prepare(frame, out)) return false;
	const auto total = static_cast<size_t>(frame.nb_samples);
	values_.resize(kPiece * static_cast<size_t>(channels_));
	std::vector<const float*> planes;
	for (size_t from = 0; from < total; from += kPiece) {
		const size_t count = std::min(kPiece, total - from);
		planes.clear();
		for (int c = 0; c < channels_; c++) {
			float* plane = values_.data() + kPiece * static_cast<size_t>(c);
			if (!ToFloats(frame, {c, from, count}, plane)) return false;
			planes.push_back(plane);
		}
		mix_->Feed(planes.data(), 1, count, mixed_);
		if (!Resample(false, out)) return false;
	}
	return true;
}

bool FrameMixer::FeedSilence(const AVFrame& next, double seconds, Samples& out) {
	// If the frame cannot be used, the silence before it is dropped too.
	if (!Prepare(next, out)) return true;
	mix_->Flush(mixed_);
	mixed_.resize(mixed_.size() + static_cast<size_t>(std::llround(seconds * rate_)));
	return Resample(false, out);
}

bool FrameMixer::Flush(Samples& out) {
	if (!mix_) return true;
	mix_->Flush(mixed_);
	return Resample(true, out);
}

bool FrameMixer::Prepare(const AVFrame& frame, Samples& out) {
	const int channels = frame.ch_layout.nb_channels;
	if (channels < 1 || channels > kMaxChannels || frame.sample_rate < kMinRate || frame.sample_rate > kMaxRate ||
		frame.nb_samples < 0 || frame.extended_data == nullptr) {
		return false;
	}
	if (mix_ && frame.sample_rate == rate_ && channels == channels_) return true;
	Flush(out);
	std::vector<float> weights(static_cast<size_t>(channels));
	if (channel_ < 0) weights = MixWeights(frame);
	else if (channel_ < channels) weights[static_cast<size_t>(channel_)] = 1;
	mix_.reset();
	resampler_.reset();
	if (frame.sample_rate != kSampleRate) {
		auto made = MonoResampler::Make(frame.sample_rate, 0);
		if (!made) return false;
		resampler_ = std::move(*made);
	}
	mix_ = std::make_unique<Downmix>(frame.sample_rate, std::move(weights));
	rate_ = frame.sample_rate;
	channels_ = channels;
	return true;
}

bool FrameMixer::Resample(bool last, Samples& out) {
	bool done = true;
	if (resampler_) {
		done = static_cast<bool>(resampler_->Feed(mixed_.data(), mixed_.size(), last, out));
	} else {
		std::copy(mixed_.begin(), mixed_.end(), out.Extend(mixed_.size()));
		out.Commit(mixed_.size());
	}
	mixed_.clear();
	return done;
}

bool IsSilent(const AVFrame& frame) {
	constexpr float kSilent = 0.00316F;
	const auto loud = [](float value) { return std::abs(value) > kSilent; };
	const auto total = static_cast<size_t>(std::max(0, frame.nb_samples));
	std::vector<float> values(kPiece);
	for (int c = 0; c < frame.ch_layout.nb_channels; c++) {
		for (size_t from = 0; from < total; from += kPiece) {
			const size_t count = std::min(kPiece, total - from);
			if (!ToFloats(frame, {c, from, count}, values.data())) return false;
			if (std::any_of(values.begin(), values.begin() + static_cast<ptrdiff_t>(count), loud)) return false;
		}
	}
	return true;
}

}  // namespace earshot::audio
