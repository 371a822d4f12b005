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
#include "napi/env.h"
#include "napi/errors.h"
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
	const Expected<SherpaInfo> version = ReadSherpaVersion(info[0].As<Napi::String>().Utf8Value());
	if (!version) throw MakeError(env, version.failure());
	Napi::Object object = ToJs(env, *version);
	object.Set("gitSha", version->git_sha);
	return object;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
	InitEnv(env);
	InitAudio();
	const auto set = [&](const char* name, auto function) { exports.Set(name, Napi::Function::New(env, function, name)); };
	set("openAudio", OpenAudio);
	set("loadVoiceActivity", LoadVoiceActivity);
	set("loadSpeechNetwork", LoadSpeechNetwork);
	set("loadEncoder", LoadEncoder);
	set("loadWhisper", LoadWhisper);
	set("loadParakeet", LoadParakeetModel);
	set("loadSherpa", LoadSherpa);
	set("loadStreaming", LoadStreaming);
	set("devices", Devices);
	set("calculates", Calculates);
	set("trimHeap", [](const Napi::CallbackInfo&) { TrimHeap(); });
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
	set("setLogSink", [](const Napi::CallbackInfo& info) { SetLogSink(info.Env(), info[0]); });
	exports.Set("SEGMENT_FIELDS", static_cast<double>(RawResult::kSegmentFields));
	return exports;
}

NODE_API_MODULE(earshot, Init)

}  // namespace

}  // namespace earshot
