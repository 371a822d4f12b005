// Converts FFmpeg's frames to one channel at 16 kHz.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

extern "C" {
#include <libavutil/frame.h>
}

#include "audio/decoding.h"
#include "audio/downmix.h"
#include "audio/samples.h"

namespace earshot::audio {

/** Takes frames of any format, which may change in the middle of a stream. */
class FrameMixer {
public:
	/** `channel`: the only one to decode; -1: all, mixed. */
	explicit FrameMixer(int channel) : channel_(channel) {}

	/** Appends the frame's samples. False: the frame cannot be used. */
	bool Feed(const AVFrame& frame, Samples& out);
	/** Appends silence before the frame `next`. */
	bool FeedSilence(const AVFrame& next, double seconds, Samples& out);
	/** Appends the buffered samples. */
	bool Flush(Samples& out);

private:
	bool Prepare(const AVFrame& frame, Samples& out);
	bool Resample(bool last, Samples& out);

	const int channel_;
	int rate_ = 0, channels_ = 0;
	std::unique_ptr<Downmix> mix_;
	/** Null at kSampleRate. */
	std::unique_ptr<MonoResampler> resampler_;
	std::vector<float> values_, mixed_;
};

/** Whether no sample of it is louder than -50 dBFS. */
bool IsSilent(const AVFrame& frame);

}  // namespace earshot::audio
