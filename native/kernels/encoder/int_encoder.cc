#include "kernels/encoder/int_encoder.h"

#include <algorithm>
#include <utility>

#include "kernels/encoder/memory.h"
#include "kernels/encoder/pass.h"
#include "kernels/encoder/weights.h"
#include "kernels/vectors.h"

namespace earshot {

#ifdef EARSHOT_VECTORS

namespace {

class Encoder final : public IntEncoder {
public:
	Encoder(Integers integers, Integers cross, const EncoderShape& shape, const TensorOf& tensor)
		: weights_(integers, cross, shape, tensor) {}

	Expected<Done> Run(const float* mel, size_t positions, float* out, const CrossAttention& cross, int threads,
		const Cancel& cancel) const override {
		if (positions == 0 || positions > weights_.shape.positions) {
			return Failure{"engine_failed", "the encoder cannot compute " + std::to_string(positions) + " positions"};
		}
		return Guarded("engine_failed", "the encoder", [&]() -> Expected<Done> {
			const auto count = static_cast<size_t>(std::max(1, threads));
			encoder::Allocator needed;
			(void)encoder::Pass(weights_, needed, positions, count);
			const encoder::Arenas::Loan arena(arenas_);
			if (arena->size() < needed.lines()) arena->resize(needed.lines());
			encoder::Allocator memory(arena->data());
			encoder::Pass(weights_, memory, positions, count).Run({mel, out, cross, &cancel}, count);
			if (cancel.Requested()) return Cancelled();
			return Done{};
		});
	}

	Integers integers() const override { return weights_.integers; }
	size_t bytes() const override { return weights_.bytes(); }

private:
	const encoder::EncoderWeights weights_;
	mutable encoder::Arenas arenas_;
};

}  // namespace

Expected<std::shared_ptr<const IntEncoder>> IntEncoder::Make(
	Integers integers, Integers cross, const EncoderShape& shape, const TensorOf& tensor) {
	if (!HasIntegers()) return Failure{"engine_missing", "integers need a processor with AVX-512 VNNI"};
	return Guarded("model_load_failed", "the encoder", [&]() -> Expected<std::shared_ptr<const IntEncoder>> {
		try {
			return std::shared_ptr<const IntEncoder>(std::make_shared<const Encoder>(integers, cross, shape, tensor));
		} catch (const encoder::UnexpectedTensor& unexpected) {
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
