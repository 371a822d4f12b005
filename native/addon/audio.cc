// Reading recordings.
#include <memory>
#include <utility>
#include <vector>

#include <napi.h>

#include "addon/convert.h"
#include "addon/exports.h"
#include "addon/handle.h"
#include "audio/decoder.h"
#include "napi/options.h"

namespace earshot {

Napi::Value OpenAudio(const Napi::CallbackInfo& info) {
	const Napi::Env env = info.Env();
	AudioSource source;
	// Keeps a recording in memory alive while the reader may read it.
	std::shared_ptr<Napi::Reference<Napi::Value>> bytes;
	if (info[0].IsString()) {
		source.path = info[0].As<Napi::String>().Utf8Value();
	} else {
		const auto array = info[0].As<Napi::Uint8Array>();
		source.bytes = array.Data();
		source.size = array.ByteLength();
		bytes = std::make_shared<Napi::Reference<Napi::Value>>(Napi::Persistent(info[0]));
	}
	const Options options(info[1]);
	if (options.Value("channel").IsNumber()) source.channel = options.Int("channel");
	const auto handle = std::make_shared<Handle<AudioReader>>(
		AudioReader::Make(std::move(source), options.Number("maxSeconds")), 1, FreeOn::kCallingThread);
	Napi::Object reader = Napi::Object::New(env);
	const auto keep = [bytes](const Napi::Value& also) {
		std::vector<Napi::Value> values = {also};
		if (bytes) values.push_back(bytes->Value());
		return values;
	};
	reader.Set("open", Napi::Function::New(env, [handle, keep](const Napi::CallbackInfo& call) -> Napi::Value {
		return handle->Start<AudioInfo>(call.Env(), 0, keep(call.This()),
			[](AudioReader& running, const Cancel& cancel) { return running.Open(cancel); },
			[](Napi::Env settled, AudioInfo& opened) -> Napi::Value { return ToJs(settled, opened); });
	}, "open"));
	reader.Set("read", Napi::Function::New(env, [handle, keep](const Napi::CallbackInfo& call) -> Napi::Value {
		auto into = call[0].As<Napi::Float32Array>();
		return handle->Start<ReadAudio>(call.Env(), 0, keep(call[0]),
			[samples = into.Data(), count = into.ElementLength()](AudioReader& running, const Cancel& cancel) {
				return running.Read(samples, count, cancel);
			},
			[](Napi::Env settled, ReadAudio& read) -> Napi::Value {
				Napi::Object result = Napi::Object::New(settled);
				result.Set("count", static_cast<double>(read.count));
				result.Set("skippedPackets", read.skipped_packets);
				result.Set("truncated", read.truncated);
				return result;
			});
	}, "read"));
	reader.Set("close", Napi::Function::New(env, [handle](const Napi::CallbackInfo& call) -> Napi::Value {
		return handle->Close(call.Env());
	}, "close"));
	return reader;
}

}  // namespace earshot
