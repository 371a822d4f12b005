// Reads options objects and creates typed arrays. JavaScript thread only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include <napi.h>

namespace earshot {

// TypeScript has validated the values: a wrong type is a bug and throws a TypeError.

inline void ReadValue(const Napi::Value& value, std::string& into) { into = value.As<Napi::String>().Utf8Value(); }
inline void ReadValue(const Napi::Value& value, double& into) { into = value.As<Napi::Number>().DoubleValue(); }
inline void ReadValue(const Napi::Value& value, float& into) { into = value.As<Napi::Number>().FloatValue(); }
inline void ReadValue(const Napi::Value& value, int& into) { into = value.As<Napi::Number>().Int32Value(); }
inline void ReadValue(const Napi::Value& value, bool& into) { into = value.As<Napi::Boolean>().Value(); }

template <class Element>
void ReadValue(const Napi::Value& value, std::vector<Element>& into) {
	const auto array = value.As<Napi::Array>();
	into.resize(array.Length());
	for (uint32_t i = 0; i < array.Length(); i++) ReadValue(array.Get(i), into[i]);
}

/** Sets the members of `into` named by a table of Field. Absent fields keep their defaults. */
template <class Target, class... Fields>
void ReadFields(const Napi::Value& value, const std::tuple<Fields...>& fields, Target& into) {
	const auto object = value.As<Napi::Object>();
	const auto read = [&](const auto& field) {
		if (const Napi::Value given = object.Get(field.name); !given.IsUndefined()) ReadValue(given, into.*field.member);
	};
	std::apply([&](const auto&... field) { (read(field), ...); }, fields);
}

/** Fields of an options object. */
class Options {
public:
	explicit Options(Napi::Value value) : object_(value.As<Napi::Object>()) {}

	std::string String(const char* name) const { return Read<std::string>(name); }
	double Number(const char* name) const { return Read<double>(name); }
	int Int(const char* name) const { return Read<int>(name); }
	float Float(const char* name) const { return Read<float>(name); }
	bool Bool(const char* name) const { return Read<bool>(name); }
	Napi::Value Value(const char* name) const { return object_.Get(name); }
	Napi::Object Object(const char* name) const { return object_.Get(name).As<Napi::Object>(); }

private:
	template <class T>
	T Read(const char* name) const {
		T value{};
		ReadValue(object_.Get(name), value);
		return value;
	}

	Napi::Object object_;
};

template <class Array, class Element>
Array TypedCopy(Napi::Env env, const Element* data, size_t count) {
	Array array = Array::New(env, count);
	std::copy_n(data, count, array.Data());
	return array;
}

}  // namespace earshot
