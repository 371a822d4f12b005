// Where stretches of sound belong, by the times of their packets.
#include <limits>

#include "audio/ffmpeg/timeline.h"
#include "check.h"

namespace earshot::tests {

namespace {

using audio::Timeline;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

bool IsNear(double a, double b) { return std::abs(a - b) < 1e-9; }

/** Stretches of 20 ms, one after another; what is silent is left out where that is asked for. */
double Play(Timeline& timeline, double from, int count, bool silent = false) {
	double silence = 0;
	for (int i = 0; i < count; i++) {
		const auto place = timeline.Next(from + i * 0.02);
		silence += place.silence;
		timeline.Advance(place.silence);
		if (!(place.overlaps && silent)) timeline.Advance(0.02);
	}
	return silence;
}

}  // namespace

TEST("a stream that starts late starts with silence, and one without a known start does not") {
	Timeline late(2, false, 100);
	EXPECT(IsNear(late.Next(7).silence, 5));
	Timeline unknown(kUnknown, false, 100);
	EXPECT(unknown.Next(7).silence == 0);
	EXPECT(unknown.origin() == 7);
}

TEST("what is without a time follows directly") {
	Timeline timeline(0, false, 100);
	EXPECT(timeline.Next(kUnknown).silence == 0);
}

TEST("jitter is no gap, and adds up to none") {
	Timeline timeline(0, false, 100);
	double silence = 0;
	for (int i = 0; i < 1000; i++) {
		silence += timeline.Next(i * 0.02 + (i % 2 == 0 ? 0.08 : -0.08)).silence;
		timeline.Advance(0.02);
	}
	EXPECT(silence == 0);
}

TEST("a gap is silence up to where the sound goes on") {
	Timeline timeline(0, false, 100);
	EXPECT(Play(timeline, 0, 50) == 0);
	EXPECT(IsNear(Play(timeline, 11, 50), 10));
	EXPECT(IsNear(timeline.end(), 12));
}

TEST("an overlap is made up for by what is silent, and otherwise by the next gap") {
	Timeline timeline(0, false, 100);
	Play(timeline, 0, 50);
	EXPECT(Play(timeline, 0.5, 50) == 0);
	EXPECT(IsNear(timeline.end(), 2));
	Play(timeline, 1.5, 50, true);
	EXPECT(IsNear(timeline.end(), 2.6) || timeline.end() < 2.62);
	EXPECT(IsNear(Play(timeline, 5, 1), 5 - 2.6) || timeline.end() < 5.03);
}

TEST("no time makes a recording longer than is allowed, nor swallows what follows") {
	Timeline timeline(0, false, 100);
	Play(timeline, 0, 50);
	EXPECT(Play(timeline, 1e9, 50) == 0);
	EXPECT(IsNear(timeline.end(), 2));
	EXPECT(IsNear(Play(timeline, 1e9 + 4, 50), 3));
	EXPECT(Play(timeline, 0, 50) == 0);
	EXPECT(IsNear(timeline.end(), 7));
}

TEST("the clock of a broadcast may be set") {
	Timeline timeline(0, true, 100);
	Play(timeline, 0, 50);
	EXPECT(Play(timeline, 20, 50) == 0);
	EXPECT(IsNear(Play(timeline, 26, 50), 5));
}

}  // namespace earshot::tests
