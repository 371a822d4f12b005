// FFmpeg's frames → one channel at 16 kHz.
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
	/** `channel`: the only one that is heard; -1: all. */
	explicit FrameMixer(int channel) : channel_(channel) {}

	/** Appends what the frame yields. False: it cannot be used. */
	bool Feed(const AVFrame& frame, Samples& out);
	/** So much silence before a frame. */
	bool FeedSilence(const AVFrame& next, double seconds, Samples& out);
	/** Appends what is left inside. */
	bool Flush(Samples& out);

private:
	bool Prepare(const AVFrame& frame, Samples& out);
	bool Resample(bool last, Samples& out);

	const int channel_;
	int rate_ = 0, channels_ = 0;
	std::unique_ptr<Downmix> mix_;
	/** None at kSampleRate. */
	std::unique_ptr<MonoResampler> resampler_;
	std::vector<float> values_, mixed_;
};

/** Whether no sample of it is louder than -50 dBFS. */
bool IsSilent(const AVFrame& frame);

}  // namespace earshot::audio
