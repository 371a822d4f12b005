// Exports that read recordings and convert live audio.
#include <algorithm>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <napi.h>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "audio/decoder.h"
#include "audio/live_input.h"
#include "core/limits.h"
#include "napi/arguments.h"
#include "napi/functions.h"

namespace earshot {

namespace {

/** A reader, with its recording if that is in memory. */
class OwnedReader {
public:
	OwnedReader(std::vector<uint8_t> bytes, std::string path, int channel, double max_seconds)
		: bytes_(std::move(bytes)),
		  reader_(AudioReader::Make({bytes_.data(), bytes_.size(), std::move(path), channel}, max_seconds)) {}

	Expected<AudioInfo> Open(const Cancel& cancel) {
		if (std::exchange(opened_, true)) return Failure{"closed", "it has been opened"};
		return reader_->Open(cancel);
	}

	struct Block {
		ReadAudio read;
		std::unique_ptr<float[]> samples;
	};
	Expected<Block> Read(size_t count, const Cancel& cancel) {
		return Guarded("audio_unsupported", "decoding", [&]() -> Expected<Block> {
			// Not set to 0 before they are written, which takes as long as decoding PCM.
			Block block{{}, std::make_unique_for_overwrite<float[]>(count)};
			const Expected<ReadAudio> read = reader_->Read(block.samples.get(), count, cancel);
			if (!read) return read.failure();
			block.read = *read;
			return block;
		});
	}

private:
	const std::vector<uint8_t> bytes_;
	const std::shared_ptr<AudioReader> reader_;
	bool opened_ = false;
};

using Reading = OneWay<OwnedReader>;

/** A path, or bytes, which are copied. */
std::shared_ptr<OwnedReader> MakeReader(Napi::Value source, int channel, double max_seconds) {
	if (source.IsString()) {
		return std::make_shared<OwnedReader>(std::vector<uint8_t>(), TextOf(source, "source"), channel, max_seconds);
	}
	if (!source.IsTypedArray()) throw Refusal("source", "a Uint8Array or a path", source);
	return std::make_shared<OwnedReader>(BytesOf(source, "source"), "", channel, max_seconds);
}

}  // namespace

Napi::Value OpenAudio(const Napi::CallbackInfo& info) {
	const Napi::Env env = info.Env();
	const Options options(info[1]);
	const double max_seconds = options.Number("maxSeconds", 0, limits::kMaxSeconds);
	const int channel = options.Value("channel").IsUndefined() ? -1 : options.Int("channel", 0, INT_MAX);
	const auto handle =
		std::make_shared<Handle<Reading>>(OneWayOf(MakeReader(info[0], channel, max_seconds)), 1, FreeOn::kCallingThread);
	Napi::Object reader = Napi::Object::New(env);
	reader.Set("open", AsyncFunction(env, "open", [handle](const Napi::CallbackInfo& call) -> Napi::Value {
		return handle->Start<AudioInfo>(call.Env(), 0,
			[](Reading& running, const Cancel& cancel) {
				return running.Call(false, [&](OwnedReader& opened) { return opened.Open(cancel); });
			},
			[](Napi::Env settled, AudioInfo& opened) -> Napi::Value { return ToJs(settled, opened); });
	}));
	reader.Set("read", AsyncFunction(env, "read", [handle](const Napi::CallbackInfo& call) -> Napi::Value {
		const size_t count = FloatsOf(call[0], "into").size;
		const auto into = std::make_shared<Napi::Reference<Napi::Value>>(Napi::Persistent(call[0]));
		return handle->Start<OwnedReader::Block>(call.Env(), 0,
			[count](Reading& running, const Cancel& cancel) {
				return running.Call(false, [&](OwnedReader& opened) { return opened.Read(count, cancel); });
			},
			[into](Napi::Env settled, OwnedReader::Block& block) -> Napi::Value {
				const FloatView view = FloatsOf(into->Value(), "into");
				if (view.size < block.read.count) {
					throw MakeError(settled, {"invalid_argument", "Expected `into` to keep its length while it is read into"});
				}
				std::copy_n(block.samples.get(), block.read.count, view.data);
				Napi::Object result = Napi::Object::New(settled);
				result.Set("count", static_cast<double>(block.read.count));
				result.Set("skippedPackets", block.read.skipped_packets);
				result.Set("truncated", block.read.truncated);
				return result;
			});
	}));
	reader.Set("close", AsyncFunction(env, "close", [handle](const Napi::CallbackInfo& call) -> Napi::Value {
		return handle->Close(call.Env());
	}));
	return reader;
}

Napi::Value OpenLiveInput(const Napi::CallbackInfo& info) {
	const Napi::Env env = info.Env();
	const Options options(info[0]);
	const Napi::Value encoding_given = options.Value("encoding"), rate_given = options.Value("rate");
	const std::optional<PcmEncoding> encoding = PcmEncodingOf(TextOf(encoding_given, "encoding"));
	if (!encoding) throw Refusal("encoding", "`pcm16`, `pcmu` or `pcma`", encoding_given);
	const int rate = IntOf(rate_given, "rate", LiveInput::kMinRate, LiveInput::kMaxRate);
	if (rate % LiveInput::kRateStep != 0) throw Refusal("rate", "a multiple of 25", rate_given);
	const auto input = std::make_shared<LiveInput>(*encoding, rate);
	Napi::Object object = Napi::Object::New(env);
	object.Set("push", Function(env, "push", [input](const Napi::CallbackInfo& call) -> Napi::Value {
		const bool last = BoolOf(call[1], "last");
		const std::vector<uint8_t> bytes = BytesOf(call[0], "bytes");
		std::vector<float> samples;
		input->Push(bytes.data(), bytes.size(), last, samples);
		return TypedCopy<Napi::Float32Array>(call.Env(), samples.data(), samples.size());
	}));
	return object;
}

}  // namespace earshot
