// FFmpeg's resampler.
#include <memory>
#include <utility>

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswresample/swresample.h>
}

#include "audio/decoding.h"
#include "core/clip.h"

namespace earshot::audio {

namespace {

struct SwrFree {
	void operator()(SwrContext* swr) const { swr_free(&swr); }
};

class SwrMono final : public MonoResampler {
public:
	explicit SwrMono(std::unique_ptr<SwrContext, SwrFree> swr) : swr_(std::move(swr)) {}

	Expected<Done> Feed(const float* samples, size_t count, bool last, Samples& out) override {
		if (count > 0) {
			const auto* plane = reinterpret_cast<const uint8_t*>(samples);
			if (!Convert(&plane, static_cast<int>(count), out)) return OutOfMemory();
		}
		if (last && !Convert(nullptr, 0, out)) return OutOfMemory();
		return Done{};
	}

private:
	bool Convert(const uint8_t** samples, int count, Samples& out) {
		const int room = swr_get_out_samples(swr_.get(), count);
		if (room < 0) return false;
		auto* plane = reinterpret_cast<uint8_t*>(out.Extend(static_cast<size_t>(room) + 64));
		const int got = swr_convert(swr_.get(), &plane, room + 64, samples, count);
		if (got < 0) return false;
		out.Commit(static_cast<size_t>(got));
		return true;
	}

	std::unique_ptr<SwrContext, SwrFree> swr_;
};

}  // namespace

Expected<std::unique_ptr<MonoResampler>> MonoResampler::Make(int rate, int64_t) {
	AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
	SwrContext* made = nullptr;
	const int result = swr_alloc_set_opts2(
		&made, &mono, AV_SAMPLE_FMT_FLT, kSampleRate, &mono, AV_SAMPLE_FMT_FLT, rate, 0, nullptr);
	std::unique_ptr<SwrContext, SwrFree> swr(made);
	if (result < 0 || !swr) return OutOfMemory();
	// 64 taps: the default 32 let 8.5 kHz through at -26 dB, into the band of speech.
	av_opt_set_int(swr.get(), "filter_size", 64, 0);
	if (swr_init(swr.get()) < 0) return OutOfMemory();
	return std::unique_ptr<MonoResampler>(std::make_unique<SwrMono>(std::move(swr)));
}

}  // namespace earshot::audio
