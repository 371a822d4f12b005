// What a pass does in each step: convolutions, layers, attention, linear layers.
#include "kernels/encoder/pass.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "kernels/encoder/rows.h"
#include "kernels/gelu.h"
#include "kernels/vectors.h"

#ifdef EARSHOT_VECTORS

namespace earshot::encoder {

namespace {

/** Calls each(first, columns) with the products of `count` rows and the matrix's `columns` rows from `first` on in
 * scratch.numbers. */
template <class Each>
void InStrips(
	const IntMatrix& matrix, size_t piece, const IntRows& rows, size_t count, Scratch& scratch, Each&& each) {
	const size_t strip = Strip(piece, matrix.rows());
	for (size_t first = 0; first < matrix.rows(); first += strip) {
		const size_t end = std::min(first + strip, matrix.rows());
		matrix.MultiplySome(first, end, rows, count, scratch.numbers, end - first);
		each(first, end - first);
	}
}

/** First and end (exclusive) of a unit's positions. */
std::pair<size_t, size_t> Range(size_t unit, size_t length, size_t positions) {
	return {unit * length, std::min((unit + 1) * length, positions)};
}

/** Zero padding of the convolutions. */
void Border(const RowStore& rows, size_t row, Integers integers) {
	std::memset(rows.NumbersOf(row), integers == Integers::k16 ? 0 : 0x80, rows.bytes);
	std::fill_n(rows.ScalesOf(row), rows.blocks, 0.0F);
}

}  // namespace

void Pass::RoundMel(Scratch& scratch, size_t unit) {
	const size_t count = 2 * positions_;
	const auto [first, end] = Range(unit, 2 * rows_, count);
	for (size_t frame = first; frame < end; frame++) {
		for (size_t band = 0; band < weights_.shape.mels; band++) scratch.norm[band] = job_.mel[band * count + frame];
		const size_t row = frame + 1;
		RoundRow(weights_.integers, weights_.by_mel, scratch.norm, frames_.NumbersOf(row), frames_.ScalesOf(row));
	}
	if (unit != 0) return;
	for (const RowStore* rows : {&frames_, &sounds_}) {
		Border(*rows, 0, weights_.integers);
		Border(*rows, count + 1, weights_.integers);
	}
}

void Pass::Convolve(Scratch& scratch, size_t unit) {
	const auto [first, end] = Range(unit, rows_, 2 * positions_);
	if (first >= end) return;
	Activate(weights_.first, frames_.From(first), end - first, weights_.by_state, sounds_, first + 1, scratch);
}

void Pass::Advance(Scratch& scratch, size_t unit, size_t layer) {
	const auto [first, end] = Range(unit, rows_, positions_);
	const size_t count = end - first, state = weights_.shape.state;
	float* stream = stream_ + first * state;
	if (layer == 0) {
		weights_.second.Multiply(sounds_.From(2 * first, 2), count, stream, state);
		Gelu(stream, count * state, stream);
		AddTo(stream, weights_.position_embedding.data() + first * state, count * state);
	} else {
		FinishLayer(weights_.layers[layer - 1], attended_ + first * state, stream, count, scratch);
	}
	if (layer < weights_.layers.size()) {
		StartLayer(weights_.layers[layer], scratch, first, count);
	} else {
		MakeCross(scratch, first, count);
	}
}

void Pass::MakeCross(Scratch& scratch, size_t first, size_t count) const {
	const size_t state = weights_.shape.state;
	const float* stream = stream_ + first * state;
	for (size_t row = 0; row < count; row++) {
		float* out = job_.out + (first + row) * state;
		weights_.last_norm(stream + row * state, out);
		RoundRow(weights_.cross, weights_.by_cross, out, scratch.by_cross.NumbersOf(row), scratch.by_cross.ScalesOf(row));
	}
	const float scale = std::pow(static_cast<float>(weights_.width), -0.25F);
	for (size_t text_layer = 0; text_layer < weights_.cross_layers.size(); text_layer++) {
		const CrossLayer& each = weights_.cross_layers[text_layer];
		const auto store = [&](const IntMatrix& matrix, float factor, uint16_t* to) {
			to += text_layer * job_.cross.stride + first * state;
			InStrips(matrix, weights_.width, scratch.by_cross.From(0), count, scratch, [&](size_t column, size_t columns) {
				for (size_t row = 0; row < count; row++) {
					ToHalf(scratch.numbers + row * columns, columns, factor, to + row * state + column);
				}
			});
		};
		store(each.key, scale, job_.cross.keys);
		store(each.value, 1, job_.cross.values);
	}
}

void Pass::FinishLayer(const Layer& layer, const float* attended, float* stream, size_t count, Scratch& scratch) const {
	const size_t state = weights_.shape.state;
	for (size_t row = 0; row < count; row++) {
		RoundRow(weights_.integers, weights_.by_state, attended + row * state, scratch.by_state.NumbersOf(row),
			scratch.by_state.ScalesOf(row));
	}
	layer.attended.Multiply(scratch.by_state.From(0), count, stream, state, true);
	NormaliseRows(layer.mlp_norm, stream, count, scratch);
	Activate(layer.up, scratch.by_state.From(0), count, weights_.by_hidden, scratch.by_hidden, 0, scratch);
	layer.down.Multiply(scratch.by_hidden.From(0), count, stream, state, true);
}

void Pass::NormaliseRows(const Norm& norm, const float* stream, size_t count, Scratch& scratch) const {
	for (size_t row = 0; row < count; row++) {
		norm(stream + row * weights_.shape.state, scratch.norm);
		RoundRow(weights_.integers, weights_.by_state, scratch.norm, scratch.by_state.NumbersOf(row),
			scratch.by_state.ScalesOf(row));
	}
}

void Pass::StartLayer(const Layer& layer, Scratch& scratch, size_t first, size_t count) {
	NormaliseRows(layer.attention_norm, stream_ + first * weights_.shape.state, count, scratch);
	// Calls each(head, numbers, stride) with the products of one head.
	const size_t width = weights_.width;
	const auto by_head = [&](const IntMatrix& matrix, auto&& each) {
		InStrips(matrix, width, scratch.by_state.From(0), count, scratch, [&](size_t column, size_t columns) {
			for (size_t at = 0; at < columns; at += width) each((column + at) / width, scratch.numbers + at, columns);
		});
	};

	const float scale = 1.0F / std::sqrt(static_cast<float>(width));
	by_head(layer.query, [&](size_t head, const float* numbers, size_t stride) {
		for (size_t row = 0; row < count; row++) {
			const size_t place = head * positions_ + first + row;
			float* scales = queries_.ScalesOf(place);
			RoundRow(Integers::k16, weights_.by_head, numbers + row * stride, queries_.NumbersOf(place), scales);
			for (size_t block = 0; block < weights_.by_head.count; block++) scales[block] *= scale;
		}
	});

	// Units start at a panel. Places beyond the last position stay uninitialised and are not read.
	by_head(layer.key, [&](size_t head, const float* numbers, size_t stride) {
		for (size_t row = 0; row < count; row++) {
			const size_t place = head * panels_ * kPanel + first + row;
			key_scales_[place] = PackRow(Integers::k16, weights_.by_head, 1, numbers + row * stride, place % kPanel,
				keys_ + place / kPanel * KeyLines(), nullptr);
		}
	});

	by_head(layer.value, [&](size_t head, const float* numbers, size_t stride) {
		for (size_t part = 0; part < Parts(); part++) {
			for (size_t row = 0; row < count; row += kPositions) {
				const size_t place = (head * Parts() + part) * by_position_.count + (first + row) / kPositions;
				PackColumns(kPositions, numbers + row * stride + part * kPanel, stride, std::min(kPositions, count - row),
					std::min(kPanel, width - part * kPanel), values_ + place * ValueLines(1),
					value_scales_ + place * kPanel);
			}
		}
	});
}

void Pass::Attend(Scratch& scratch, size_t unit) {
	// Head by head, so that its keys and values stay in the cache.
	const size_t per_head = (positions_ + kQueries - 1) / kQueries, head = unit / per_head;
	const auto [first, end] = Range(unit % per_head, kQueries, positions_);
	const size_t count = end - first, stride = panels_ * kPanel;
	const IntRows queries = queries_.From(head * positions_ + first);
	for (size_t panel = 0; panel < panels_; panel++) {
		const size_t place = head * panels_ + panel;
		const IntPanel keys{
			keys_ + place * KeyLines(), key_scales_ + place * kPanel, nullptr, nullptr};
		MultiplyPanel(Integers::k16, weights_.by_head.count, weights_.by_head.length, queries, count, keys,
			scratch.scores + panel * kPanel, stride, std::min(kPanel, positions_ - panel * kPanel), false);
	}
	for (size_t row = 0; row < count; row++) {
		float* probabilities = scratch.scores + row * stride;
		const float factor = 1.0F / Exponentials(probabilities, positions_);
		float* scales = scratch.probabilities.ScalesOf(row);
		RoundRow(Integers::k16, by_position_, probabilities, scratch.probabilities.NumbersOf(row), scales);
		for (size_t block = 0; block < by_position_.count; block++) scales[block] *= factor;
	}
	for (size_t part = 0; part < Parts(); part++) {
		const size_t place = (head * Parts() + part) * by_position_.count;
		const IntPanel values{
			values_ + place * ValueLines(1), value_scales_ + place * kPanel, nullptr, nullptr, true};
		MultiplyPanel(Integers::k16, by_position_.count, kPositions, scratch.probabilities.From(0), count, values,
			attended_ + first * weights_.shape.state + head * weights_.width + part * kPanel, weights_.shape.state,
			std::min(kPanel, weights_.width - part * kPanel), false);
	}
}

void Pass::Activate(const IntMatrix& matrix, const IntRows& rows, size_t count, const Blocks& blocks, const RowStore& to,
	size_t at, Scratch& scratch) const {
	InStrips(matrix, blocks.length, rows, count, scratch, [&](size_t first, size_t columns) {
		Gelu(scratch.numbers, count * columns, scratch.numbers);
		const Blocks before = blocks.Part(first), some = blocks.Part(columns);
		for (size_t row = 0; row < count; row++) {
			RoundRow(weights_.integers, some, scratch.numbers + row * columns,
				to.NumbersOf(at + row) + RowBytes(weights_.integers, before), to.ScalesOf(at + row) + before.count);
		}
	});
}

}  // namespace earshot::encoder

#endif
