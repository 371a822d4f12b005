#include "audio/ffmpeg/timeline.h"

#include <algorithm>
#include <cmath>

namespace earshot::audio {

Timeline::Place Timeline::Next(double time) {
	if (!std::isfinite(time)) return {};
	if (std::isnan(origin_)) origin_ = time - end_;
	const double late = time - origin_ - end_;
	if (std::abs(late) <= kJitterSeconds) {
		// The deviation of the first stretch shifts all others, so it is not jitter.
		if (end_ == 0) origin_ += late;
		return {};
	}
	// A wrong time must not produce hours of silence.
	const double longest = clock_may_be_set_ ? kClockSetSeconds : max_seconds_ - end_;
	if (late > longest || late < -kClockSetSeconds) {
		origin_ += late;
		return {};
	}
	return {std::max(0.0, late), late < 0};
}

}  // namespace earshot::audio
