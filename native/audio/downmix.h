// Mixes several channels to one without cancelling any voice.
#pragma once

#include <cstddef>
#include <vector>

namespace earshot::audio {

/**
 * The weighted sum of channels. A channel that mirrors those before it (right = −left, from a cable with crossed wires
 * or a "wide" effect) would cancel them, and is inverted: before each tenth of a second is mixed, a channel is inverted
 * if that makes the sum's energy eight times as large, and inverted back if that doubles the energy. Otherwise the sign
 * stays as it was, so that noise does not change it. A change is faded over 10 ms, so that it does not click.
 */
class Downmix {
public:
	/** One weight for each channel; a channel with weight 0 is ignored. */
	Downmix(int rate, std::vector<float> weights);

	/** Appends the samples that can be mixed by now. `channels[c][i * stride]` is a sample. */
	void Feed(const float* const* channels, size_t stride, size_t count, std::vector<float>& out);

	/** Appends the rest. */
	void Flush(std::vector<float>& out);

private:
	struct Channel {
		size_t index;
		float weight;
		/** Sign in the previous block: -1 if the channel was inverted. */
		float sign = 1;
		std::vector<float> held;
	};

	void Mix(std::vector<float>& out);

	const size_t block_, fade_;
	std::vector<Channel> audible_;
	bool begun_ = false;
};

}  // namespace earshot::audio
