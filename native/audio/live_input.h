// Converts live audio from clients' encodings to 16 kHz mono f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace earshot {

/** Signed little-endian integers of 16 bits, and the two codings of G.711. */
enum class PcmEncoding { kPcm16, kPcmu, kPcma };

/** The encoding by its name in binding.d.ts. */
std::optional<PcmEncoding> PcmEncodingOf(std::string_view name);

/** The weights by which samples of one rate are summed up into samples at 16 kHz. */
struct ResampleTable {
	/** Output sample n lies at n × step / phases, counted in input samples. */
	int64_t phases = 1, step = 1;
	/** Input samples before and after that are summed up. */
	int64_t reach = 0;
	/** phases × 2 reach: of the samples at −reach + 1 … reach around the one at or before the output sample. */
	std::vector<float> weights;
};

/** Decodes and resamples audio that arrives in pieces. The result does not depend on how it is divided, to the last
 * bit. One thread at a time. */
class LiveInput {
public:
	/** A multiple of kRateStep keeps the table small: 640 phases at most. */
	static constexpr int kMinRate = 8000, kMaxRate = 96'000, kRateStep = 25;

	LiveInput(PcmEncoding encoding, int rate);

	/** Appends the samples that are final. `last`: all of them, as if silence followed; the next call begins a new
	 * stream. */
	void Push(const uint8_t* bytes, size_t size, bool last, std::vector<float>& out);

private:
	void Decode(const uint8_t* bytes, size_t size);
	/** Computes the samples whose filter ends before `end`, and that lie before `until`; both in input samples. */
	void Resample(int64_t end, int64_t until, std::vector<float>& out);

	const PcmEncoding encoding_;
	const std::shared_ptr<const ResampleTable> table_;
	/** The first byte of a two-byte sample whose second byte has not arrived. */
	std::optional<uint8_t> half_;
	/** Input from the sample `start_` on; those before the first are silence. */
	std::vector<float> input_;
	int64_t start_ = 0;
	/** Number of output samples so far. */
	int64_t made_ = 0;
};

}  // namespace earshot
