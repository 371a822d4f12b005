// Where in a recording a stretch of sound belongs, by the times of its packets.
#pragma once

namespace earshot::audio {

/** How far the times of packets and the length of their sound may differ. Times in milliseconds, of arrival or with
 * encoders' delay in them differ by less; what players tell from silence is longer. */
constexpr double kJitterSeconds = 0.1;

/** A clock that jumps further than this has been set, where the container says that clocks may be, or backwards. */
constexpr double kClockSetSeconds = 10;

/**
 * The place of each stretch of sound on the time scale that a player shows. Pauses in the times of packets (the start of
 * a stream, muted or discontinuous transmission) are silence. Sound whose time is over already is heard where it comes,
 * and the time is made up for where it is silent, so that nothing said is lost. All in seconds.
 */
class Timeline {
public:
	struct Place {
		/** Silence before the stretch. */
		double silence = 0;
		/** Its time is over already. */
		bool overlaps = false;
	};

	/** `origin`: the time that a player shows as 0; NaN: that of the first stretch. `clock_may_be_set`: as in broadcasts. */
	Timeline(double origin, bool clock_may_be_set, double max_seconds)
		: origin_(origin), clock_may_be_set_(clock_may_be_set), max_seconds_(max_seconds) {}

	/** Of the stretch that begins at `time`; NaN: directly after the one before. */
	Place Next(double time);

	/** So much was heard. */
	void Advance(double seconds) { end_ += seconds; }

	double origin() const { return origin_; }
	/** Of what was heard. */
	double end() const { return end_; }

private:
	double origin_;
	const bool clock_may_be_set_;
	const double max_seconds_;
	double end_ = 0;
};

}  // namespace earshot::audio
