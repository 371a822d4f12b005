// Several channels → one, in which no voice is lost.
#pragma once

#include <cstddef>
#include <vector>

namespace earshot::audio {

/**
 * The weighted sum of channels. A channel that mirrors those before it (right = −left, from a cable with crossed wires
 * or a "wide" effect) would cancel them, and is turned over: for each tenth of a second, known before it is mixed, a
 * channel is turned when that makes the sum's energy eight times as large, and turned back when it is half of what it
 * would be otherwise. Between the two the sign stays as it was, so that noise changes nothing, and a change is faded
 * over 10 ms, so that it does not click.
 */
class Downmix {
public:
	/** One weight for each channel; a channel whose weight is 0 is not heard. */
	Downmix(int rate, std::vector<float> weights);

	/** Appends the sum of what is known by now. `channels[c][i * stride]` is a sample. */
	void Feed(const float* const* channels, size_t stride, size_t count, std::vector<float>& out);

	/** Appends the rest. */
	void Flush(std::vector<float>& out);

private:
	struct Channel {
		size_t index;
		float weight;
		/** 1, or -1 for one that is turned over, for the block before. */
		float sign = 1;
		std::vector<float> held;
	};

	void Mix(std::vector<float>& out);

	const size_t block_, fade_;
	std::vector<Channel> heard_;
	bool begun_ = false;
};

}  // namespace earshot::audio
