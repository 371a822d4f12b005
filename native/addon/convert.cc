#include "addon/convert.h"

#include <cstdint>
#include <string>

#include "core/limits.h"
#include "napi/arguments.h"

namespace earshot {

Napi::Object ToJs(Napi::Env env, const RawResult& raw) {
	Napi::Object result = Napi::Object::New(env);
	result.Set("bytes", TypedCopy<Napi::Uint8Array>(env, reinterpret_cast<const uint8_t*>(raw.bytes.data()), raw.bytes.size()));
	result.Set("tokenEnds", TypedCopy<Napi::Uint32Array>(env, raw.token_ends.data(), raw.token_ends.size()));
	result.Set("tokenIds", TypedCopy<Napi::Int32Array>(env, raw.token_ids.data(), raw.token_ids.size()));
	result.Set("tokenTimes", TypedCopy<Napi::Float32Array>(env, raw.token_times.data(), raw.token_times.size()));
	result.Set("tokenLogprobs", TypedCopy<Napi::Float32Array>(env, raw.token_logprobs.data(), raw.token_logprobs.size()));
	result.Set("segments", TypedCopy<Napi::Float64Array>(
		env, reinterpret_cast<const double*>(raw.segments.data()), raw.segments.size() * RawResult::kSegmentFields));
	result.Set("removedRepetitions",
		TypedCopy<Napi::Float64Array>(env, raw.removed_repetitions.data(), raw.removed_repetitions.size()));
	result.Set("decodedTokens", static_cast<double>(raw.decoded_tokens));
	result.Set("text", raw.text);
	result.Set("language", raw.language);
	result.Set("emotion", raw.emotion);
	result.Set("event", raw.event);
	return result;
}

Napi::Object ToJs(Napi::Env env, const WhisperInfo& info) {
	Napi::Object object = Napi::Object::New(env);
	Napi::Array languages = Napi::Array::New(env, info.languages.size());
	for (uint32_t i = 0; i < info.languages.size(); i++) languages.Set(i, info.languages[i]);
	object.Set("size", info.size);
	object.Set("multilingual", info.multilingual);
	object.Set("alignsWords", info.aligns_words);
	object.Set("languages", languages);
	object.Set("device", info.device);
	object.Set("encoder", info.encoder);
	object.Set("decoder", info.decoder);
	object.Set("weightBytes", static_cast<double>(info.weight_bytes));
	object.Set("maxBatchedClips", info.max_batched_clips);
	return object;
}

Napi::Object ToJs(Napi::Env env, const SherpaInfo& info) {
	Napi::Object object = Napi::Object::New(env);
	object.Set("version", info.version);
	object.Set("onnxruntime", info.onnxruntime);
	Napi::Array providers = Napi::Array::New(env, info.providers.size());
	for (uint32_t i = 0; i < info.providers.size(); i++) providers.Set(i, info.providers[i]);
	object.Set("providers", providers);
	object.Set("fallback", info.fallback);
	return object;
}

Napi::Object ToJs(Napi::Env env, const VadSegments& found) {
	Napi::Object object = Napi::Object::New(env);
	object.Set("spans", TypedCopy<Napi::Uint32Array>(env, found.spans.data(), found.spans.size()));
	object.Set("open", static_cast<double>(found.open));
	object.Set("settled", static_cast<double>(found.settled));
	return object;
}

Napi::Object ToJs(Napi::Env env, const AudioInfo& info) {
	Napi::Object object = Napi::Object::New(env);
	object.Set("container", info.container);
	object.Set("codec", info.codec);
	object.Set("sampleRate", info.sample_rate);
	object.Set("channels", info.channels);
	object.Set("declaredSeconds", info.declared_seconds);
	return object;
}

void Read(const Options& options, WhisperOptions& into) { into.Read(options); }

SherpaConfig ReadConfig(const Options& options, const char* name) {
	const Napi::Object from = options.Object(name);
	SherpaConfig config;
	for (const std::string& field : Options::NamesIn(from, name)) {
		const Napi::Value value = from.Get(field);
		if (value.IsString()) config[field] = TextOf(value, field);
		else if (value.IsNumber()) config[field] = NumberOf(value, field, -limits::kMaxConfigNumber, limits::kMaxConfigNumber);
		else throw Refusal(field, "a string or a number", value);
	}
	return config;
}

void Read(const Options& options, StreamOptions& into) {
	into.hotwords = options.Text("hotwords");
	const Napi::Object stream = options.Object("stream");
	for (const std::string& name : Options::NamesIn(stream, "stream")) into.stream[name] = TextOf(stream.Get(name), name);
}

void Read(const Options& options, SherpaOptions& into) {
	Read(options, static_cast<StreamOptions&>(into));
	into.changes = ReadConfig(options, "changes");
}

}  // namespace earshot
