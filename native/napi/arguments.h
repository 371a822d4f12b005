// Arguments from JavaScript: checked here regardless of TypeScript's types, and copied, since JavaScript may detach,
// shrink or change them at any time. On the JavaScript thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <napi.h>

namespace earshot {

/** The error of an argument: "Expected `name` to be `what`, got …" with the code `invalid_argument`. Runs no JavaScript. */
Napi::Error Refusal(const std::string& name, const std::string& what, Napi::Value got);

/** A finite number. */
double NumberOf(Napi::Value value, const std::string& name, double min, double max);
int IntOf(Napi::Value value, const std::string& name, int min, int max);
/** A number that JavaScript uses as an id: any safe integer. */
double IdOf(Napi::Value value, const std::string& name);
bool BoolOf(Napi::Value value, const std::string& name);
/** UTF-8 without a NUL, at which a library would end the text. */
std::string TextOf(Napi::Value value, const std::string& name);
/** Copied, like the next two, since no other thread may read memory that JavaScript owns. */
std::vector<float> SamplesOf(Napi::Value value, const std::string& name);
std::vector<uint8_t> BytesOf(Napi::Value value, const std::string& name);

/** The elements of an array, at most `max`. Reading them may run JavaScript. */
std::vector<Napi::Value> ElementsOf(Napi::Value value, const std::string& name, size_t max);

/** Where the elements of a Float32Array are now. Until JavaScript runs again. */
struct FloatView {
	float* data = nullptr;
	size_t size = 0;
};
FloatView FloatsOf(Napi::Value value, const std::string& name);

/** Fields of an options object. Reading one may run JavaScript, so read them all before accessing memory or state. */
class Options {
public:
	explicit Options(Napi::Value value, const std::string& name = "options");

	Napi::Value Value(const char* name) const { return object_.Get(name); }
	bool Has(const char* name) const { return !Value(name).IsUndefined(); }
	/** Throws the error of a field that is not `what`. */
	[[noreturn]] void Refuse(const char* name, const std::string& what) const { throw Refusal(name, what, Value(name)); }
	double Number(const char* name, double min, double max) const { return NumberOf(Value(name), name, min, max); }
	float Float(const char* name, double min, double max) const { return static_cast<float>(Number(name, min, max)); }
	int Int(const char* name, int min, int max) const { return IntOf(Value(name), name, min, max); }
	double Id(const char* name) const { return IdOf(Value(name), name); }
	bool Bool(const char* name) const { return BoolOf(Value(name), name); }
	/** False if it is absent. */
	bool Switch(const char* name) const;
	std::string Text(const char* name) const { return TextOf(Value(name), name); }
	std::vector<int> Ints(const char* name, int min, int max, size_t max_elements) const;
	std::vector<std::string> Texts(const char* name, size_t max_elements) const;
	Napi::Object Object(const char* name) const;
	/** Names of an object's own fields, at most a thousand. */
	static std::vector<std::string> NamesIn(const Napi::Object& object, const std::string& name);

private:
	Napi::Object object_;
};

}  // namespace earshot
