// The exports of earshot.node, as binding.d.ts declares them.
#include "addon/exports.h"

#include <cstddef>

#include <ggml.h>
#include <napi.h>

#include "addon/convert.h"
#include "audio/decoder.h"
#include "core/result.h"
#include "kernels/int_matrix.h"
#include "kernels/width.h"
#include "napi/arguments.h"
#include "napi/env.h"
#include "napi/errors.h"
#include "napi/functions.h"
#include "napi/log_sink.h"
#include "platform/platform.h"
#include "sherpa/api.h"
#include "sherpa/engine.h"
#include "whisper/engine.h"

namespace earshot {

namespace {

Napi::Value Versions(const Napi::CallbackInfo& info) {
	const AudioVersions audio = GetAudioVersions();
	Napi::Object versions = Napi::Object::New(info.Env());
	versions.Set("whisper", WhisperVersion());
	versions.Set("ggml", ggml_version());
	versions.Set("avformat", audio.avformat);
	versions.Set("avcodec", audio.avcodec);
	versions.Set("swresample", audio.swresample);
	versions.Set("ffmpegLicense", audio.license);
	versions.Set("sherpaExpected", sherpa::kSherpaVersion);
	return versions;
}

Napi::Value SherpaVersion(const Napi::CallbackInfo& info) {
	const Napi::Env env = info.Env();
	const Expected<SherpaInfo> version = ReadSherpaVersion(TextOf(info[0], "libraryDir"));
	if (!version) throw MakeError(env, version.failure());
	Napi::Object object = ToJs(env, *version);
	object.Set("gitSha", version->git_sha);
	return object;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
	InitEnv(env);
	InitAudio();
	const auto set = [&](const char* name, auto function) { exports.Set(name, Function(env, name, function)); };
	const auto set_async = [&](const char* name, auto function) { exports.Set(name, AsyncFunction(env, name, function)); };
	set("openAudio", OpenAudio);
	set("openLiveInput", OpenLiveInput);
	set_async("loadVoiceActivity", LoadVoiceActivity);
	set_async("loadSpeechNetwork", LoadSpeechNetwork);
	set_async("loadNetwork", LoadNetwork);
	set_async("loadEncoder", LoadEncoder);
	set_async("loadWhisper", LoadWhisper);
	set_async("loadParakeet", LoadParakeetModel);
	set_async("loadSherpa", LoadSherpa);
	set_async("loadStreaming", LoadStreaming);
	set("devices", Devices);
	set("calculates", Calculates);
	set("trimHeap", [](const Napi::CallbackInfo& info) -> Napi::Value {
		TrimHeap();
		return info.Env().Undefined();
	});
	set("cpuFeatures", CpuFeatures);
	set("processorFlags", ProcessorFlagsOf);
	set("kernels", [](const Napi::CallbackInfo& info) -> Napi::Value {
		return Napi::String::New(info.Env(), kKernelNames[static_cast<size_t>(WidestKernels())]);
	});
	set("integerEncoders", [](const Napi::CallbackInfo& info) -> Napi::Value {
		return Napi::Boolean::New(info.Env(), HasIntegers());
	});
	set("versions", Versions);
	set("sherpaVersion", SherpaVersion);
	set("setLogSink", [](const Napi::CallbackInfo& info) -> Napi::Value {
		SetLogSink(info.Env(), info[0]);
		return info.Env().Undefined();
	});
	exports.Set("SEGMENT_FIELDS", static_cast<double>(RawResult::kSegmentFields));
	return exports;
}

NODE_API_MODULE(earshot, Init)

}  // namespace

}  // namespace earshot
