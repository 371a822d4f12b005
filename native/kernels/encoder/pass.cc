#include "kernels/encoder/pass.h"

#include <system_error>
#include <thread>

#include "kernels/vectors.h"

#ifdef EARSHOT_VECTORS

namespace earshot::encoder {

namespace {

constexpr size_t RoundUp(size_t count, size_t step) { return (count + step - 1) / step * step; }

size_t WidestStrip(const EncoderWeights& weights) {
	const size_t state = weights.shape.state;
	return std::max({Strip(weights.width, state), Strip(weights.by_state.length, state),
		Strip(weights.by_hidden.length, 4 * state)});
}

}  // namespace

Scratch::Scratch(Allocator& memory, const EncoderWeights& weights, size_t positions)
	: numbers(memory.Take<float>(kRows * WidestStrip(weights))),
	  norm(memory.Take<float>(std::max(weights.shape.state, weights.shape.mels))),
	  by_state(memory, weights.integers, weights.by_state, kRows),
	  by_hidden(memory, weights.integers, weights.by_hidden, kRows),
	  by_cross(memory, weights.cross, weights.by_cross, kRows),
	  scores(memory.Take<float>(kQueries * RoundUp(positions, kPanel))),
	  probabilities(memory, Integers::k16, Blocks(positions, kPositions), kQueries) {}

Pass::Pass(const EncoderWeights& weights, Allocator& memory, size_t positions, size_t threads)
	: weights_(weights), positions_(positions), rows_(threads > 1 ? kSharedRows : kRows),
	  panels_((positions + kPanel - 1) / kPanel), by_position_(positions, kPositions),
	  frames_(memory, weights.integers, weights.by_mel, 2 * positions + 2, 0),
	  sounds_(memory, weights.integers, weights.by_state, 2 * positions + 2, 0),
	  stream_(memory.Take<float>(positions * weights.shape.state)),
	  queries_(memory, Integers::k16, weights.by_head, weights.shape.heads * positions),
	  keys_(memory.Take<Line>(weights.shape.heads * panels_ * KeyLines())),
	  key_scales_(memory.Take<float>(weights.shape.heads * panels_ * kPanel)),
	  values_(memory.Take<Line>(weights.shape.heads * Parts() * ValueLines(by_position_.count))),
	  value_scales_(memory.Take<float>(weights.shape.heads * Parts() * by_position_.count * kPanel)),
	  attended_(memory.Take<float>(positions * weights.shape.state)),
	  taken_(1 + 2 * (weights.shape.layers + 1)) {
	for (size_t thread = 0; thread < threads; thread++) scratch_.emplace_back(memory, weights, positions);
}

void Pass::Run(const Job& job, size_t threads) {
	job_ = job;
	std::barrier<> together(static_cast<ptrdiff_t>(threads));
	std::vector<std::thread> others;
	others.reserve(threads);
	for (size_t thread = 1; thread < threads; thread++) {
		try {
			others.emplace_back([this, &together, thread] { Work(scratch_[thread], together); });
		} catch (const std::system_error&) {
			together.arrive_and_drop();
		}
	}
	Work(scratch_.front(), together);
	for (std::thread& other : others) other.join();
}

void Pass::Work(Scratch& scratch, std::barrier<>& together) {
	size_t stage = 0;
	const auto units = [&](size_t count, auto&& unit) {
		if (stage > 0) together.arrive_and_wait();
		std::atomic<size_t>& next = taken_[stage++];
		for (size_t at = next++; at < count && !job_.cancel->Requested(); at = next++) unit(at);
	};
	const size_t units_of_rows = (positions_ + rows_ - 1) / rows_;
	units(units_of_rows, [&](size_t unit) { RoundMel(scratch, unit); });
	units(2 * units_of_rows, [&](size_t unit) { Convolve(scratch, unit); });
	units(units_of_rows, [&](size_t unit) { Advance(scratch, unit, 0); });
	for (size_t layer = 0; layer < weights_.layers.size(); layer++) {
		units(weights_.shape.heads * ((positions_ + kQueries - 1) / kQueries), [&](size_t unit) { Attend(scratch, unit); });
		units(units_of_rows, [&](size_t unit) { Advance(scratch, unit, layer + 1); });
	}
}

}  // namespace earshot::encoder

#endif
