#include "kernels/int_encoder.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <ggml-backend.h>
#include <ggml.h>

#include "kernels/gelu.h"
#include "kernels/vectors.h"

namespace earshot {

#ifdef EARSHOT_VECTORS

namespace {

/** Positions that go through the linear layers of a block of the encoder together, at most: fewer read the weights more
 * often, of more what is between would not stay in the processor's cache. */
constexpr size_t kRows = 128;
/** The same where threads share the work out. */
constexpr size_t kSharedRows = 64;
/** Positions of a block of the values of attention. */
constexpr size_t kPositions = 64;
static_assert(kRows % kPanel == 0 && kSharedRows % kPanel == 0);
static_assert(kRows % kPositions == 0 && kSharedRows % kPositions == 0);
/** Positions whose attention is computed together. */
constexpr size_t kQueries = 32;
/** Of whisper.cpp and of OpenAI's. */
constexpr float kEpsilon = 1e-5F;
/** The frame before, the frame and the one after. */
constexpr size_t kKernel = 3;

constexpr size_t RoundUp(size_t count, size_t step) { return (count + step - 1) / step * step; }

/** Of a matrix of `rows`, how many are multiplied before their products are used, while those are in the processor's
 * cache: whole panels, and whole pieces of `piece`. */
constexpr size_t Strip(size_t piece, size_t rows) { return std::min(std::lcm(piece, kPanel), rows); }

// ---- in f32 ---------------------------------------------------------------------------------------

EARSHOT_WIDE void Normalise(const float* row, size_t width, const float* weight, const float* bias, float* out) {
	__m512 sum = _mm512_setzero_ps();
	for (size_t i = 0; i < width; i += kLanes) {
		sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(FirstOf(width - i), row + i));
	}
	const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / static_cast<float>(width));
	__m512 squares = _mm512_setzero_ps();
	for (size_t i = 0; i < width; i += kLanes) {
		const __mmask16 wanted = FirstOf(width - i);
		const __m512 off = _mm512_maskz_sub_ps(wanted, _mm512_maskz_loadu_ps(wanted, row + i), mean);
		squares = _mm512_fmadd_ps(off, off, squares);
	}
	const float variance = _mm512_reduce_add_ps(squares) / static_cast<float>(width);
	const __m512 factor = _mm512_set1_ps(1.0F / std::sqrt(variance + kEpsilon));
	for (size_t i = 0; i < width; i += kLanes) {
		const __mmask16 wanted = FirstOf(width - i);
		const __m512 off = _mm512_sub_ps(_mm512_maskz_loadu_ps(wanted, row + i), mean);
		const __m512 scaled = _mm512_mul_ps(_mm512_mul_ps(off, factor), _mm512_maskz_loadu_ps(wanted, weight + i));
		_mm512_mask_storeu_ps(out + i, wanted, _mm512_add_ps(scaled, _mm512_maskz_loadu_ps(wanted, bias + i)));
	}
}

EARSHOT_WIDE void ToHalf(const float* numbers, size_t count, float scale, uint16_t* halves) {
	for (size_t i = 0; i < count; i += kLanes) {
		const __mmask16 wanted = FirstOf(count - i);
		const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(wanted, numbers + i), _mm512_set1_ps(scale));
		_mm256_mask_storeu_epi16(halves + i, wanted, _mm512_cvtps_ph(scaled, _MM_FROUND_TO_NEAREST_INT));
	}
}

EARSHOT_WIDE void AddTo(float* numbers, const float* more, size_t count) {
	for (size_t i = 0; i < count; i += kLanes) {
		const __mmask16 wanted = FirstOf(count - i);
		const __m512 sum =
			_mm512_add_ps(_mm512_maskz_loadu_ps(wanted, numbers + i), _mm512_maskz_loadu_ps(wanted, more + i));
		_mm512_mask_storeu_ps(numbers + i, wanted, sum);
	}
}

// ---- memory ----------------------------------------------------------------------------------------

/** Hands out pieces of a room, each on lines of its own; the first time only adds them up. */
class Allotment {
public:
	explicit Allotment(Line* memory = nullptr) : memory_(memory) {}

	template <class T>
	T* Take(size_t count) {
		const size_t at = lines_;
		lines_ += (count * sizeof(T) + sizeof(Line) - 1) / sizeof(Line);
		return memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + at);
	}
	size_t lines() const { return lines_; }

private:
	Line* memory_;
	size_t lines_ = 0;
};

/** Rounded rows that are written one by one. */
struct RowStore {
	uint8_t* numbers = nullptr;
	float* scales = nullptr;
	size_t bytes = 0, blocks = 0;

	RowStore() = default;
	/** `between`: bytes from the end of a row to the next one. */
	RowStore(Allotment& memory, Integers integers, const Blocks& cut, size_t rows, size_t between = sizeof(Line))
		: numbers(memory.Take<uint8_t>(rows * (RowBytes(integers, cut) + between))),
		  scales(memory.Take<float>(rows * cut.count)), bytes(RowBytes(integers, cut) + between), blocks(cut.count) {}

	uint8_t* NumbersOf(size_t row) const { return numbers + row * bytes; }
	float* ScalesOf(size_t row) const { return scales + row * blocks; }
	/** From row `first` on, each `step` rows behind the one before. */
	IntRows From(size_t first, size_t step = 1) const {
		return {NumbersOf(first), step * bytes, ScalesOf(first), step * blocks};
	}
};

// ---- weights ----------------------------------------------------------------------------------------

struct Norm {
	std::vector<float> weight, bias;
	void operator()(const float* row, float* out) const {
		Normalise(row, weight.size(), weight.data(), bias.data(), out);
	}
};

/** A layer of the decoder, whose cross-attention input the encoder makes. */
struct Cross {
	IntMatrix key, value;
};

struct Layer {
	Norm attention_norm;
	IntMatrix query, key, value, attended;
	Norm thought_norm;
	IntMatrix up, down;
};

/** A tensor that is not as the shape has it, or not in memory. */
struct Unexpected {
	std::string name, why;
};

/** Reads tensors of any type; throws Unexpected. */
class Weights {
public:
	explicit Weights(const TensorOf& tensor) : tensor_(tensor) {}

	std::vector<float> Vector(const std::string& name, size_t count) const {
		const ggml_tensor* tensor = Find(name, count);
		std::vector<float> numbers(count);
		Read(tensor, 0, numbers.data(), count);
		return numbers;
	}

	Norm NormOf(const std::string& part, size_t width) const {
		return {Vector(part + ".weight", width), Vector(part + ".bias", width)};
	}

	IntMatrix Linear(Integers integers, const std::string& part, size_t from, size_t to, bool biased = true) const {
		const ggml_tensor* tensor = Find(part + ".weight", from * to);
		const auto row = [&](size_t n, float* numbers) { Read(tensor, n * from, numbers, from); };
		const std::vector<float> bias = biased ? Vector(part + ".bias", to) : std::vector<float>();
		return IntMatrix(integers, to, 1, Blocks(integers, from), row, biased ? bias.data() : nullptr);
	}

	/** Over three frames, one after the other, where the file has the three numbers of each band together. */
	IntMatrix Convolution(Integers integers, const std::string& part, size_t from, size_t to) const {
		const ggml_tensor* tensor = Find(part + ".weight", kKernel * from * to);
		std::vector<float> stored(kKernel * from);
		const auto row = [&](size_t n, float* numbers) {
			Read(tensor, n * stored.size(), stored.data(), stored.size());
			for (size_t frame = 0; frame < kKernel; frame++) {
				for (size_t band = 0; band < from; band++) numbers[frame * from + band] = stored[band * kKernel + frame];
			}
		};
		const std::vector<float> bias = Vector(part + ".bias", to);
		return IntMatrix(integers, to, kKernel, Blocks(integers, from), row, bias.data());
	}

private:
	const ggml_tensor* Find(const std::string& name, size_t count) const {
		const ggml_tensor* tensor = tensor_(name);
		if (tensor == nullptr) throw Unexpected{name, "there is none"};
		if (tensor->data == nullptr || tensor->buffer == nullptr) throw Unexpected{name, "it has no data"};
		if (!ggml_backend_buffer_is_host(tensor->buffer)) {
			throw Unexpected{name, std::string("it is on ") + ggml_backend_buffer_name(tensor->buffer)};
		}
		const bool readable =
			tensor->type == GGML_TYPE_F32 || ggml_get_type_traits(tensor->type)->to_float != nullptr;
		if (!readable) throw Unexpected{name, std::string("it is of ") + ggml_type_name(tensor->type)};
		if (static_cast<size_t>(ggml_nelements(tensor)) != count || !ggml_is_contiguous(tensor)) {
			throw Unexpected{name, "its shape is another"};
		}
		return tensor;
	}

	/** Rows of quantised tensors are whole blocks, and nothing smaller than a row is asked of them. */
	static void Read(const ggml_tensor* tensor, size_t first, float* numbers, size_t count) {
		const char* from = static_cast<const char*>(tensor->data) + ggml_row_size(tensor->type, static_cast<int64_t>(first));
		if (tensor->type == GGML_TYPE_F32) std::memcpy(numbers, from, count * sizeof(float));
		else ggml_get_type_traits(tensor->type)->to_float(from, numbers, static_cast<int64_t>(count));
	}

	const TensorOf& tensor_;
};

// ---- the encoder --------------------------------------------------------------------------------------

class Encoder final : public IntEncoder {
public:
	Encoder(Integers integers, Integers cross, const EncoderShape& shape, const Weights& weights)
		: integers_(integers), cross_(cross), shape_(shape), width_(shape.state / shape.heads), by_mel_(integers, shape.mels),
		  by_state_(integers, shape.state), by_hidden_(integers, 4 * shape.state), by_head_(Integers::k16, width_),
		  by_cross_(cross, shape.state),
		  first_(weights.Convolution(integers, "encoder.conv1", shape.mels, shape.state)),
		  second_(weights.Convolution(integers, "encoder.conv2", shape.state, shape.state)),
		  places_(weights.Vector("encoder.positional_embedding", shape.positions * shape.state)),
		  last_norm_(weights.NormOf("encoder.ln_post", shape.state)) {
		const size_t state = shape.state;
		for (size_t layer = 0; layer < shape.layers; layer++) {
			const std::string part = "encoder.blocks." + std::to_string(layer);
			layers_.push_back(Layer{
				.attention_norm = weights.NormOf(part + ".attn_ln", state),
				.query = weights.Linear(integers, part + ".attn.query", state, state),
				.key = weights.Linear(integers, part + ".attn.key", state, state, false),
				.value = weights.Linear(integers, part + ".attn.value", state, state),
				.attended = weights.Linear(integers, part + ".attn.out", state, state),
				.thought_norm = weights.NormOf(part + ".mlp_ln", state),
				.up = weights.Linear(integers, part + ".mlp.0", state, 4 * state),
				.down = weights.Linear(integers, part + ".mlp.2", 4 * state, state),
			});
		}
		for (size_t layer = 0; layer < shape.text_layers; layer++) {
			const std::string part = "decoder.blocks." + std::to_string(layer) + ".cross_attn";
			crosses_.push_back(Cross{
				.key = weights.Linear(cross, part + ".key", state, state, false),
				.value = weights.Linear(cross, part + ".value", state, state),
			});
		}
	}

	Expected<Done> Run(const float* mel, size_t positions, float* out, const CrossAttention& cross, int threads,
		const Cancel& cancel) const override {
		if (positions == 0 || positions > shape_.positions) {
			return Failure{"engine_failed", "the encoder was asked for " + std::to_string(positions) + " positions"};
		}
		return Guarded("engine_failed", "the encoder", [&]() -> Expected<Done> {
			const auto count = static_cast<size_t>(std::max(1, threads));
			Allotment needed;
			(void)Pass(*this, needed, positions, count);
			const Loan room(*this);
			if (room->size() < needed.lines()) room->resize(needed.lines());
			Allotment memory(room->data());
			Pass pass(*this, memory, positions, count);
			pass.mel = mel;
			pass.out = out;
			pass.cross = cross;
			pass.cancel = &cancel;
			pass.RunOn(count);
			if (cancel.Requested()) return Cancelled();
			return Done{};
		});
	}

	Integers integers() const override { return integers_; }

	size_t bytes() const override {
		size_t sum = first_.bytes() + second_.bytes() + places_.size() * sizeof(float);
		for (const Layer& layer : layers_) {
			for (const IntMatrix* matrix :
				{&layer.query, &layer.key, &layer.value, &layer.attended, &layer.up, &layer.down}) {
				sum += matrix->bytes();
			}
		}
		for (const Cross& cross : crosses_) sum += cross.key.bytes() + cross.value.bytes();
		return sum;
	}

private:
	/** What a thread has for itself. */
	struct Desk {
		Desk(Allotment& memory, const Encoder& encoder, size_t positions)
			: numbers(memory.Take<float>(kRows * encoder.WidestStrip())),
			  norm(memory.Take<float>(std::max(encoder.shape_.state, encoder.shape_.mels))),
			  by_state(memory, encoder.integers_, encoder.by_state_, kRows),
			  by_hidden(memory, encoder.integers_, encoder.by_hidden_, kRows),
			  by_cross(memory, encoder.cross_, encoder.by_cross_, kRows),
			  scores(memory.Take<float>(kQueries * RoundUp(positions, kPanel))),
			  probabilities(memory, Integers::k16, Blocks(positions, kPositions), kQueries) {}

		float *numbers, *norm;
		RowStore by_state, by_hidden, by_cross;
		float* scores;
		RowStore probabilities;
	};

	/** One clip on its way through. Stages follow one another; their units are anybody's. */
	struct Pass {
		Pass(const Encoder& encoder, Allotment& memory, size_t positions, size_t threads)
			: encoder(encoder), positions(positions), rows(threads > 1 ? kSharedRows : kRows),
			  panels((positions + kPanel - 1) / kPanel), by_position(positions, kPositions),
			  frames(memory, encoder.integers_, encoder.by_mel_, 2 * positions + 2, 0),
			  sounds(memory, encoder.integers_, encoder.by_state_, 2 * positions + 2, 0),
			  stream(memory.Take<float>(positions * encoder.shape_.state)),
			  queries(memory, Integers::k16, encoder.by_head_, encoder.shape_.heads * positions),
			  keys(memory.Take<Line>(encoder.shape_.heads * panels * encoder.KeyLines())),
			  key_scales(memory.Take<float>(encoder.shape_.heads * panels * kPanel)),
			  values(memory.Take<Line>(encoder.shape_.heads * encoder.Parts() * ValueLines(by_position.count))),
			  value_scales(memory.Take<float>(encoder.shape_.heads * encoder.Parts() * by_position.count * kPanel)),
			  attended(memory.Take<float>(positions * encoder.shape_.state)),
			  taken(1 + 2 * (encoder.shape_.layers + 1)) {
			for (size_t thread = 0; thread < threads; thread++) desks.emplace_back(memory, encoder, positions);
		}

		/** Fewer than `threads` where the system gives no more. */
		void RunOn(size_t threads) {
			std::barrier<> together(static_cast<ptrdiff_t>(threads));
			std::vector<std::thread> others;
			others.reserve(threads);
			for (size_t thread = 1; thread < threads; thread++) {
				try {
					others.emplace_back([this, &together, thread] { Work(desks[thread], together); });
				} catch (const std::system_error&) {
					together.arrive_and_drop();
				}
			}
			Work(desks.front(), together);
			for (std::thread& other : others) other.join();
		}

		void Work(Desk& desk, std::barrier<>& together) {
			size_t stage = 0;
			const auto units = [&](size_t count, auto&& unit) {
				if (stage > 0) together.arrive_and_wait();
				std::atomic<size_t>& next = taken[stage++];
				for (size_t at = next++; at < count && !cancel->Requested(); at = next++) unit(at);
			};
			const Encoder& all = encoder;
			const size_t units_of_rows = (positions + rows - 1) / rows;
			units(units_of_rows, [&](size_t unit) { all.RoundMel(*this, desk, unit); });
			units(2 * units_of_rows, [&](size_t unit) { all.MakeCross(*this, desk, unit); });
			units(units_of_rows, [&](size_t unit) { all.Think(*this, desk, unit, 0); });
			for (size_t layer = 0; layer < all.layers_.size(); layer++) {
				units(all.shape_.heads * ((positions + kQueries - 1) / kQueries),
					[&](size_t unit) { all.Attend(*this, desk, unit); });
				units(units_of_rows, [&](size_t unit) { all.Think(*this, desk, unit, layer + 1); });
			}
		}

		const Encoder& encoder;
		const size_t positions;
		/** Of a unit. */
		const size_t rows;
		const size_t panels;
		const Blocks by_position;
		const float* mel = nullptr;
		float* out = nullptr;
		CrossAttention cross{};
		const Cancel* cancel = nullptr;
		/** Rounded, with a frame of nothing before and after. */
		RowStore frames, sounds;
		/** Positions × state. */
		float* stream;
		/** By head and position. */
		RowStore queries;
		/** Panels of positions, by head. */
		Line* keys;
		float* key_scales;
		/** By head and part of kPanel numbers, blocks of positions. */
		Line* values;
		float* value_scales;
		/** Positions × state. */
		float* attended;
		std::vector<std::atomic<size_t>> taken;
		std::vector<Desk> desks;
	};

	using Room = std::vector<Line>;

	/** Of an unused room, until the end of the pass. */
	class Loan {
	public:
		explicit Loan(const Encoder& encoder) : encoder_(encoder) {
			const std::lock_guard lock(encoder_.mutex_);
			if (encoder_.rooms_.empty()) {
				room_ = std::make_unique<Room>();
			} else {
				room_ = std::move(encoder_.rooms_.back());
				encoder_.rooms_.pop_back();
			}
		}
		~Loan() {
			const std::lock_guard lock(encoder_.mutex_);
			encoder_.rooms_.push_back(std::move(room_));
		}
		Loan(const Loan&) = delete;
		Loan& operator=(const Loan&) = delete;
		Room* operator->() const { return room_.get(); }

	private:
		const Encoder& encoder_;
		std::unique_ptr<Room> room_;
	};

	size_t WidestStrip() const {
		const size_t state = shape_.state;
		return std::max(
			{Strip(width_, state), Strip(by_state_.length, state), Strip(by_hidden_.length, 4 * state)});
	}

	/** each(first, columns) finds the products of `count` rows with the matrix's `columns` rows from `first` on in
	 * desk.numbers. */
	template <class Each>
	static void InStrips(
		const IntMatrix& matrix, size_t piece, const IntRows& rows, size_t count, Desk& desk, Each&& each) {
		const size_t strip = Strip(piece, matrix.rows());
		for (size_t first = 0; first < matrix.rows(); first += strip) {
			const size_t end = std::min(first + strip, matrix.rows());
			matrix.MultiplySome(first, end, rows, count, desk.numbers, end - first);
			each(first, end - first);
		}
	}

	/** The products' GELU, rounded, as the rows of `to` from `at` on. */
	void Activate(const IntMatrix& matrix, const IntRows& rows, size_t count, const Blocks& blocks, const RowStore& to,
		size_t at, Desk& desk) const {
		InStrips(matrix, blocks.length, rows, count, desk, [&](size_t first, size_t columns) {
			Gelu(desk.numbers, count * columns, desk.numbers);
			const Blocks before = blocks.Part(first), some = blocks.Part(columns);
			for (size_t row = 0; row < count; row++) {
				RoundRow(integers_, some, desk.numbers + row * columns,
					to.NumbersOf(at + row) + RowBytes(integers_, before), to.ScalesOf(at + row) + before.count);
			}
		});
	}

	size_t KeyLines() const { return PanelLines(Integers::k16, by_head_.count, by_head_.length); }
	static size_t ValueLines(size_t blocks) { return PanelLines(Integers::k16, blocks, kPositions); }
	/** Panels that the numbers of a head take. */
	size_t Parts() const { return (width_ + kPanel - 1) / kPanel; }

	/** The first and the one behind the last of a unit's positions. */
	static std::pair<size_t, size_t> Range(size_t unit, size_t length, size_t positions) {
		return {unit * length, std::min((unit + 1) * length, positions)};
	}

	/** Silence, as the convolutions have it, before the first row and behind the last. */
	static void Border(const RowStore& rows, size_t row, Integers integers) {
		std::memset(rows.NumbersOf(row), integers == Integers::k16 ? 0 : 0x80, rows.bytes);
		std::fill_n(rows.ScalesOf(row), rows.blocks, 0.0F);
	}

	void RoundMel(Pass& pass, Desk& desk, size_t unit) const {
		const size_t count = 2 * pass.positions;
		const auto [first, end] = Range(unit, 2 * pass.rows, count);
		for (size_t frame = first; frame < end; frame++) {
			for (size_t band = 0; band < shape_.mels; band++) desk.norm[band] = pass.mel[band * count + frame];
			const size_t row = frame + 1;
			RoundRow(integers_, by_mel_, desk.norm, pass.frames.NumbersOf(row), pass.frames.ScalesOf(row));
		}
		if (unit != 0) return;
		for (const RowStore* rows : {&pass.frames, &pass.sounds}) {
			Border(*rows, 0, integers_);
			Border(*rows, count + 1, integers_);
		}
	}

	void MakeCross(Pass& pass, Desk& desk, size_t unit) const {
		const auto [first, end] = Range(unit, pass.rows, 2 * pass.positions);
		if (first >= end) return;
		Activate(first_, pass.frames.From(first), end - first, by_state_, pass.sounds, first + 1, desk);
	}

	/** All that positions do by themselves between the attention of the layer before and that of `layer`. */
	void Think(Pass& pass, Desk& desk, size_t unit, size_t layer) const {
		const auto [first, end] = Range(unit, pass.rows, pass.positions);
		const size_t count = end - first, state = shape_.state;
		float* stream = pass.stream + first * state;
		if (layer == 0) {
			second_.Multiply(pass.sounds.From(2 * first, 2), count, stream, state);
			Gelu(stream, count * state, stream);
			AddTo(stream, places_.data() + first * state, count * state);
		} else {
			Conclude(layers_[layer - 1], pass.attended + first * state, stream, count, desk);
		}
		if (layer < layers_.size()) {
			Prepare(layers_[layer], pass, desk, first, count);
			return;
		}
		for (size_t row = 0; row < count; row++) {
			float* out = pass.out + (first + row) * state;
			last_norm_(stream + row * state, out);
			RoundRow(cross_, by_cross_, out, desk.by_cross.NumbersOf(row), desk.by_cross.ScalesOf(row));
		}
		const float scale = std::pow(static_cast<float>(width_), -0.25F);
		for (size_t text_layer = 0; text_layer < crosses_.size(); text_layer++) {
			const Cross& each = crosses_[text_layer];
			const auto store = [&](const IntMatrix& matrix, float factor, uint16_t* to) {
				to += text_layer * pass.cross.stride + first * state;
				InStrips(matrix, width_, desk.by_cross.From(0), count, desk, [&](size_t column, size_t columns) {
					for (size_t row = 0; row < count; row++) {
						ToHalf(desk.numbers + row * columns, columns, factor, to + row * state + column);
					}
				});
			};
			store(each.key, scale, pass.cross.keys);
			store(each.value, 1, pass.cross.values);
		}
	}

	void Conclude(const Layer& layer, const float* attended, float* stream, size_t count, Desk& desk) const {
		const size_t state = shape_.state;
		for (size_t row = 0; row < count; row++) {
			RoundRow(integers_, by_state_, attended + row * state, desk.by_state.NumbersOf(row), desk.by_state.ScalesOf(row));
		}
		layer.attended.Multiply(desk.by_state.From(0), count, stream, state, true);
		NormaliseRows(layer.thought_norm, stream, count, desk);
		Activate(layer.up, desk.by_state.From(0), count, by_hidden_, desk.by_hidden, 0, desk);
		layer.down.Multiply(desk.by_hidden.From(0), count, stream, state, true);
	}

	/** Into desk.by_state. */
	void NormaliseRows(const Norm& norm, const float* stream, size_t count, Desk& desk) const {
		for (size_t row = 0; row < count; row++) {
			norm(stream + row * shape_.state, desk.norm);
			RoundRow(integers_, by_state_, desk.norm, desk.by_state.NumbersOf(row), desk.by_state.ScalesOf(row));
		}
	}

	void Prepare(const Layer& layer, Pass& pass, Desk& desk, size_t first, size_t count) const {
		NormaliseRows(layer.attention_norm, pass.stream + first * shape_.state, count, desk);
		// each(head, numbers, stride): of the rows, what belongs to a head.
		const auto by_head = [&](const IntMatrix& matrix, auto&& each) {
			InStrips(matrix, width_, desk.by_state.From(0), count, desk, [&](size_t column, size_t columns) {
				for (size_t at = 0; at < columns; at += width_) each((column + at) / width_, desk.numbers + at, columns);
			});
		};

		const float scale = 1.0F / std::sqrt(static_cast<float>(width_));
		by_head(layer.query, [&](size_t head, const float* numbers, size_t stride) {
			for (size_t row = 0; row < count; row++) {
				const size_t place = head * pass.positions + first + row;
				float* scales = pass.queries.ScalesOf(place);
				RoundRow(Integers::k16, by_head_, numbers + row * stride, pass.queries.NumbersOf(place), scales);
				for (size_t block = 0; block < by_head_.count; block++) scales[block] *= scale;
			}
		});

		// Whole panels, for units begin with one. Places behind the last position keep what was there; they are not read.
		by_head(layer.key, [&](size_t head, const float* numbers, size_t stride) {
			for (size_t row = 0; row < count; row++) {
				const size_t place = head * pass.panels * kPanel + first + row;
				pass.key_scales[place] = PackRow(Integers::k16, by_head_, 1, numbers + row * stride, place % kPanel,
					pass.keys + place / kPanel * KeyLines(), nullptr);
			}
		});

		by_head(layer.value, [&](size_t head, const float* numbers, size_t stride) {
			for (size_t part = 0; part < Parts(); part++) {
				for (size_t row = 0; row < count; row += kPositions) {
					const size_t place = (head * Parts() + part) * pass.by_position.count + (first + row) / kPositions;
					PackColumns(kPositions, numbers + row * stride + part * kPanel, stride, std::min(kPositions, count - row),
						std::min(kPanel, width_ - part * kPanel), pass.values + place * ValueLines(1),
						pass.value_scales + place * kPanel);
				}
			}
		});
	}

	void Attend(Pass& pass, Desk& desk, size_t unit) const {
		// One head after the other, whose keys and values stay in the processor's cache.
		const size_t per_head = (pass.positions + kQueries - 1) / kQueries, head = unit / per_head;
		const auto [first, end] = Range(unit % per_head, kQueries, pass.positions);
		const size_t count = end - first, stride = pass.panels * kPanel;
		const IntRows queries = pass.queries.From(head * pass.positions + first);
		for (size_t panel = 0; panel < pass.panels; panel++) {
			const size_t place = head * pass.panels + panel;
			const IntPanel keys{
				pass.keys + place * KeyLines(), pass.key_scales + place * kPanel, nullptr, nullptr};
			MultiplyPanel(Integers::k16, by_head_.count, by_head_.length, queries, count, keys,
				desk.scores + panel * kPanel, stride, std::min(kPanel, pass.positions - panel * kPanel), false);
		}
		for (size_t row = 0; row < count; row++) {
			float* probabilities = desk.scores + row * stride;
			const float factor = 1.0F / Exponentials(probabilities, pass.positions);
			float* scales = desk.probabilities.ScalesOf(row);
			RoundRow(Integers::k16, pass.by_position, probabilities, desk.probabilities.NumbersOf(row), scales);
			for (size_t block = 0; block < pass.by_position.count; block++) scales[block] *= factor;
		}
		for (size_t part = 0; part < Parts(); part++) {
			const size_t place = (head * Parts() + part) * pass.by_position.count;
			const IntPanel values{
				pass.values + place * ValueLines(1), pass.value_scales + place * kPanel, nullptr, nullptr, true};
			MultiplyPanel(Integers::k16, pass.by_position.count, kPositions, desk.probabilities.From(0), count, values,
				pass.attended + first * shape_.state + head * width_ + part * kPanel, shape_.state,
				std::min(kPanel, width_ - part * kPanel), false);
		}
	}

	const Integers integers_, cross_;
	const EncoderShape shape_;
	/** Numbers of a head. */
	const size_t width_;
	const Blocks by_mel_, by_state_, by_hidden_, by_head_, by_cross_;
	const IntMatrix first_, second_;
	const std::vector<float> places_;
	const Norm last_norm_;
	std::vector<Layer> layers_;
	std::vector<Cross> crosses_;
	mutable std::mutex mutex_;
	mutable std::vector<std::unique_ptr<Room>> rooms_;  // guarded by mutex_
};

}  // namespace

Expected<std::shared_ptr<const IntEncoder>> IntEncoder::Make(
	Integers integers, Integers cross, const EncoderShape& shape, const TensorOf& tensor) {
	if (!HasIntegers()) return Failure{"engine_missing", "integers need a processor with AVX-512 VNNI"};
	return Guarded("model_load_failed", "the encoder", [&]() -> Expected<std::shared_ptr<const IntEncoder>> {
		try {
			return std::shared_ptr<const IntEncoder>(
				std::make_shared<const Encoder>(integers, cross, shape, Weights(tensor)));
		} catch (const Unexpected& unexpected) {
			return Failure{"model_load_failed", "tensor " + unexpected.name + " is not as expected: " + unexpected.why};
		}
	});
}

#else

Expected<std::shared_ptr<const IntEncoder>> IntEncoder::Make(
	Integers, Integers, const EncoderShape&, const TensorOf&) {
	return Failure{"engine_missing", "there is no encoder in integers for this processor"};
}

#endif

}  // namespace earshot
