#include "audio/decoder.h"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "audio/decoding.h"
#include "audio/reader.h"
#include "core/clip.h"

namespace earshot {

namespace audio {

namespace {

class DecodingReader final : public AudioReader {
public:
	DecodingReader(AudioSource source, double max_seconds) : source_(std::move(source)), max_seconds_(max_seconds) {}

	Expected<AudioInfo> Open(const Cancel& cancel) override {
		return Guarded("audio_unsupported", "decoding", [&]() -> Expected<AudioInfo> {
			auto opened = Reader::Open(source_);
			if (!opened) return opened.failure();
			file_ = std::move(*opened);
			if (file_->size() == 0) return Unsupported("the recording is empty");
			if (auto started = Start(cancel); !started) return started.failure();
			const AudioInfo info = decoding_->Info();
			if (!(info.declared_seconds > max_seconds_ + kLengthToleranceSeconds)) return info;
			// Too long recordings are refused now rather than hours later, but only after decoding up to the limit, since a
			// header may be wrong.
			std::vector<float> dropped(kSampleRate);
			for (size_t read = dropped.size(); read == dropped.size();) {
				auto result = decoding_->Read(dropped.data(), dropped.size(), cancel);
				if (!result) return result.failure();
				read = result->count;
			}
			if (auto again = Start(cancel); !again) return again.failure();
			return info;
		});
	}

	Expected<ReadAudio> Read(float* into, size_t count, const Cancel& cancel) override {
		if (!decoding_) return Unsupported("the recording is not open");
		return Guarded("audio_unsupported", "decoding", [&] { return decoding_->Read(into, count, cancel); });
	}

private:
	Expected<Done> Start(const Cancel& cancel) {
		decoding_.reset();
		auto opened = OpenDecoding(*file_, source_, max_seconds_, cancel);
		if (!opened) return opened.failure();
		decoding_ = std::move(*opened);
		return Done{};
	}

	const AudioSource source_;
	const double max_seconds_;
	std::unique_ptr<Reader> file_;
	std::unique_ptr<Decoding> decoding_;  // reads file_
};

}  // namespace

}  // namespace audio

std::shared_ptr<AudioReader> AudioReader::Make(AudioSource source, double max_seconds) {
	return std::make_shared<audio::DecodingReader>(std::move(source), max_seconds);
}

}  // namespace earshot
