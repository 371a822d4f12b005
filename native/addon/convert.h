// Converts results to JavaScript and options from it, as declared in binding.d.ts. On the JavaScript thread.
#pragma once

#include <algorithm>
#include <cstddef>

#include <napi.h>

#include "audio/decoder.h"
#include "core/result.h"
#include "napi/arguments.h"
#include "sherpa/engine.h"
#include "vad/vad.h"
#include "whisper/engine.h"

namespace earshot {

Napi::Object ToJs(Napi::Env env, const RawResult& raw);
Napi::Object ToJs(Napi::Env env, const WhisperInfo& info);
Napi::Object ToJs(Napi::Env env, const SherpaInfo& info);
Napi::Object ToJs(Napi::Env env, const VadSegments& found);
Napi::Object ToJs(Napi::Env env, const AudioInfo& info);

void Read(const Options& options, WhisperOptions& into);
void Read(const Options& options, StreamOptions& into);
void Read(const Options& options, SherpaOptions& into);
SherpaConfig ReadConfig(const Options& options, const char* name);

template <class Array, class Element>
Array TypedCopy(Napi::Env env, const Element* data, size_t count) {
	Array array = Array::New(env, count);
	std::copy_n(data, count, array.Data());
	return array;
}

}  // namespace earshot
