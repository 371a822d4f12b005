// Reads options objects and creates typed arrays. JavaScript thread only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <napi.h>

namespace earshot {

/** Fields of an options object. TypeScript has validated them: a wrong type is a bug and throws a TypeError. */
class Options {
public:
	explicit Options(Napi::Value value) : object_(value.As<Napi::Object>()) {}

	std::string String(const char* name) const { return object_.Get(name).As<Napi::String>().Utf8Value(); }
	double Number(const char* name) const { return object_.Get(name).As<Napi::Number>().DoubleValue(); }
	int Int(const char* name) const { return object_.Get(name).As<Napi::Number>().Int32Value(); }
	float Float(const char* name) const { return object_.Get(name).As<Napi::Number>().FloatValue(); }
	bool Bool(const char* name) const { return object_.Get(name).As<Napi::Boolean>().Value(); }
	std::vector<int> Ints(const char* name) const {
		const auto array = object_.Get(name).As<Napi::Array>();
		std::vector<int> values;
		for (uint32_t i = 0; i < array.Length(); i++) values.push_back(array.Get(i).As<Napi::Number>().Int32Value());
		return values;
	}
	std::vector<std::string> Strings(const char* name) const {
		const auto array = object_.Get(name).As<Napi::Array>();
		std::vector<std::string> values;
		for (uint32_t i = 0; i < array.Length(); i++) values.push_back(array.Get(i).As<Napi::String>().Utf8Value());
		return values;
	}
	Napi::Value Value(const char* name) const { return object_.Get(name); }
	Napi::Object Object(const char* name) const { return object_.Get(name).As<Napi::Object>(); }

private:
	Napi::Object object_;
};

template <class Array, class Element>
Array TypedCopy(Napi::Env env, const Element* data, size_t count) {
	Array array = Array::New(env, count);
	std::copy_n(data, count, array.Data());
	return array;
}

}  // namespace earshot
