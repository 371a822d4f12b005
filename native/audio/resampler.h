// FFmpeg's resampler.
#pragma once

#include <memory>

extern "C" {
#include <libavutil/frame.h>
#include <libswresample/swresample.h>
}

#include "audio/samples.h"

namespace earshot::audio {

struct FrameFree {
	void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct SwrFree {
	void operator()(SwrContext* swr) const { swr_free(&swr); }
};

/** Converts frames to 16 kHz mono, also across format changes within a stream. */
class Resampler {
public:
	/** Appends the converted frame; nullptr flushes. False: the frame could not be used. */
	bool Feed(const AVFrame* frame, Samples& out);

private:
	bool Prepare(const AVFrame& frame, Samples& out);
	static std::unique_ptr<SwrContext, SwrFree> Make(const AVFrame& frame, bool average);

	std::unique_ptr<SwrContext, SwrFree> swr_;
	int rate_ = 0, format_ = -1, channels_ = 0;
};

}  // namespace earshot::audio
