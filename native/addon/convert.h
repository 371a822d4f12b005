// Results to JavaScript, options from it, as binding.d.ts has them. On the JavaScript thread.
#pragma once

#include <napi.h>

#include "audio/decoder.h"
#include "core/clip.h"
#include "core/result.h"
#include "sherpa/engine.h"
#include "vad/vad.h"
#include "whisper/engine.h"

namespace earshot {

Napi::Object ToJs(Napi::Env env, const RawResult& raw);
Napi::Object ToJs(Napi::Env env, const WhisperInfo& info);
Napi::Object ToJs(Napi::Env env, const SherpaInfo& info);
Napi::Object ToJs(Napi::Env env, const VadSegments& found);
Napi::Object ToJs(Napi::Env env, const AudioInfo& info);

/** Of a Float32Array, which must be kept while the view is used. */
Clip ViewOf(Napi::Value value);

void Read(Napi::Value value, WhisperOptions& into);
void Read(Napi::Value value, StreamOptions& into);
void Read(Napi::Value value, SherpaOptions& into);
SherpaConfig ReadConfig(const Napi::Object& from);

}  // namespace earshot
