// Places each stretch of audio in the recording, by the times of its packets.
#pragma once

namespace earshot::audio {

/** How far the times of packets and the length of their sound may differ. Times rounded to milliseconds, arrival times
 * and encoders' delays differ by less; audible gaps are longer. */
constexpr double kJitterSeconds = 0.1;

/** In containers whose clock may be set, a jump forward by more than this, or backward, means that the clock was
 * set. */
constexpr double kClockSetSeconds = 10;

/**
 * The place of each stretch of sound on the time scale that a player shows. Gaps in the times of packets (the start of
 * a stream, muted or discontinuous transmission) become silence. Audio that overlaps earlier audio is appended, and
 * silent frames are dropped later to make up for it, so that no speech is lost. All in seconds.
 */
class Timeline {
public:
	struct Place {
		/** Silence before the stretch. */
		double silence = 0;
		/** It overlaps earlier audio. */
		bool overlaps = false;
	};

	/** `origin`: the time that a player shows as 0; NaN: the time of the first stretch. `clock_may_be_set`: as in
	 * broadcasts. */
	Timeline(double origin, bool clock_may_be_set, double max_seconds)
		: origin_(origin), clock_may_be_set_(clock_may_be_set), max_seconds_(max_seconds) {}

	/** The place of the stretch that begins at `time`; NaN: directly after the previous one. */
	Place Next(double time);

	/** Adds the length of a stretch. */
	void Advance(double seconds) { end_ += seconds; }

	double origin() const { return origin_; }
	/** End of the audio so far. */
	double end() const { return end_; }

private:
	double origin_;
	const bool clock_may_be_set_;
	const double max_seconds_;
	double end_ = 0;
};

}  // namespace earshot::audio
