// Functions that the addon exports; documented in binding.d.ts.
#pragma once

#include <napi.h>

namespace earshot {

// audio.cc
Napi::Value OpenAudio(const Napi::CallbackInfo& info);
Napi::Value OpenLiveInput(const Napi::CallbackInfo& info);

// vad.cc
Napi::Value LoadVoiceActivity(const Napi::CallbackInfo& info);

// session.cc
Napi::Value LoadSpeechNetwork(const Napi::CallbackInfo& info);
Napi::Value LoadEncoder(const Napi::CallbackInfo& info);
Napi::Value LoadNetwork(const Napi::CallbackInfo& info);

// model.cc
Napi::Value LoadWhisper(const Napi::CallbackInfo& info);
Napi::Value LoadParakeetModel(const Napi::CallbackInfo& info);
Napi::Value LoadSherpa(const Napi::CallbackInfo& info);

// stream.cc
Napi::Value LoadStreaming(const Napi::CallbackInfo& info);

// devices.cc
Napi::Value Devices(const Napi::CallbackInfo& info);
Napi::Value Calculates(const Napi::CallbackInfo& info);
Napi::Value CpuFeatures(const Napi::CallbackInfo& info);
Napi::Value ProcessorFlagsOf(const Napi::CallbackInfo& info);

}  // namespace earshot
