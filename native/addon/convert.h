// Converts results to and options from JavaScript, as declared in binding.d.ts. JavaScript thread only.
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

/** View of a Float32Array, which must be kept alive while the view is used. */
Clip ViewOf(Napi::Value value);

void Read(Napi::Value value, WhisperOptions& into);
void Read(Napi::Value value, StreamOptions& into);
void Read(Napi::Value value, SherpaOptions& into);
SherpaConfig ReadConfig(const Napi::Object& from);

}  // namespace earshot
