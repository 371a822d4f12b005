// The processor and the devices of ggml.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include <ggml-backend.h>
#include <napi.h>

#include "addon/exports.h"
#include "napi/arguments.h"
#include "platform/cpu.h"
#include "whisper/devices.h"

namespace earshot {

Napi::Value Devices(const Napi::CallbackInfo& info) {
	const Napi::Env env = info.Env();
	Napi::Array devices = Napi::Array::New(env);
	for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
		ggml_backend_dev_t device = ggml_backend_dev_get(i);
		size_t free_bytes = 0, total_bytes = 0;
		ggml_backend_dev_memory(device, &free_bytes, &total_bytes);
		const char* kind = "accelerator";
		switch (ggml_backend_dev_type(device)) {
			case GGML_BACKEND_DEVICE_TYPE_CPU: kind = "cpu"; break;
			case GGML_BACKEND_DEVICE_TYPE_GPU: kind = "gpu"; break;
			case GGML_BACKEND_DEVICE_TYPE_IGPU: kind = "igpu"; break;
			default: break;
		}
		Napi::Object entry = Napi::Object::New(env);
		entry.Set("name", ggml_backend_dev_name(device));
		entry.Set("description", ggml_backend_dev_description(device));
		entry.Set("kind", kind);
		entry.Set("memoryBytes", static_cast<double>(total_bytes));
		entry.Set("freeBytes", static_cast<double>(free_bytes));
		devices.Set(static_cast<uint32_t>(i), entry);
	}
	return devices;
}

Napi::Value Calculates(const Napi::CallbackInfo& info) {
	const double index = IdOf(info[0], "device");
	const bool is_there = index >= 0 && index < static_cast<double>(ggml_backend_dev_count());
	return Napi::Boolean::New(info.Env(), is_there && CanCalculate(ggml_backend_dev_get(static_cast<size_t>(index))));
}

Napi::Value CpuFeatures(const Napi::CallbackInfo& info) {
	const Napi::Env env = info.Env();
	Napi::Array names = Napi::Array::New(env);
	ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
	if (cpu == nullptr) return names;
	const auto features = reinterpret_cast<ggml_backend_get_features_t>(
		ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), "ggml_backend_get_features"));
	if (features == nullptr) return names;
	for (const ggml_backend_feature* feature = features(ggml_backend_dev_backend_reg(cpu));
		feature != nullptr && feature->name != nullptr; feature++) {
		if (std::strcmp(feature->value, "0") != 0) names.Set(names.Length(), Napi::String::New(env, feature->name));
	}
	return names;
}

Napi::Value ProcessorFlagsOf(const Napi::CallbackInfo& info) {
	Napi::Array names = Napi::Array::New(info.Env());
	for (const std::string& flag : ProcessorFlags()) names.Set(names.Length(), Napi::String::New(info.Env(), flag));
	return names;
}

}  // namespace earshot
