#include "napi/arguments.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string_view>

#include "napi/errors.h"

namespace earshot {

namespace {

/** Maximum samples of a clip: eighteen hours, since the engines count in 32 bits. */
constexpr size_t kMaxSamples = size_t{1} << 30;
constexpr size_t kMaxNames = 1000;
/** JavaScript's Number.MAX_SAFE_INTEGER. */
constexpr double kMaxSafe = 9007199254740991.0;
/** Characters of a text that a message shows. */
constexpr size_t kMaxShownChars = 40;

constexpr std::array kArrayNames = {"an Int8Array", "a Uint8Array", "a Uint8ClampedArray", "an Int16Array", "a Uint16Array",
	"an Int32Array", "a Uint32Array", "a Float32Array", "a Float64Array", "a BigInt64Array", "a BigUint64Array"};

/** Kinds without a name in Node-API (Float16Array). */
constexpr auto kOtherArray = static_cast<napi_typedarray_type>(-1);

struct View {
	napi_typedarray_type type = kOtherArray;
	void* data = nullptr;
	/** Number of elements; 0 if it is detached or out of bounds of its buffer. */
	size_t size = 0;
};

/** The array's current state. Napi::TypedArray is not used, since it caches what it has read. */
View Look(Napi::Value value) {
	View view;
	const napi_status status =
		napi_get_typedarray_info(value.Env(), value, &view.type, &view.size, &view.data, nullptr, nullptr);
	if (status != napi_ok) throw Napi::Error::New(value.Env());
	if (view.data == nullptr) view.size = 0;
	return view;
}

View LookFor(Napi::Value value, napi_typedarray_type type, const std::string& name) {
	const char* wanted = kArrayNames[static_cast<size_t>(type)];
	if (!value.IsTypedArray()) throw Refusal(name, wanted, value);
	const View view = Look(value);
	if (view.type != type) throw Refusal(name, wanted, value);
	return view;
}

std::string Number(double value) {
	std::array<char, 32> text{};
	std::snprintf(text.data(), text.size(), "%.15g", value);
	return text.data();
}

std::string Shown(Napi::Value value) {
	switch (value.Type()) {
		case napi_undefined: return "nothing";
		case napi_null: return "null";
		case napi_boolean: return value.As<Napi::Boolean>().Value() ? "`true`" : "`false`";
		case napi_number: return '`' + Number(value.As<Napi::Number>().DoubleValue()) + '`';
		case napi_string: {
			std::string text = value.As<Napi::String>().Utf8Value();
			if (text.size() > kMaxShownChars) {
				size_t end = kMaxShownChars;
				// Not inside a character.
				while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) end--;
				text = text.substr(0, end) + "…";
			}
			return '`' + text + '`';
		}
		case napi_symbol: return "a symbol";
		case napi_function: return "a function";
		case napi_bigint: return "a BigInt";
		default: break;
	}
	if (value.IsArray()) return "an array";
	if (value.IsTypedArray()) {
		const auto type = static_cast<size_t>(Look(value).type);
		return type < kArrayNames.size() ? kArrayNames[type] : "another typed array";
	}
	if (value.IsArrayBuffer()) return "an ArrayBuffer";
	if (value.IsDataView()) return "a DataView";
	return "an object";
}

std::string Range(const char* what, double min, double max) {
	return what + (" from " + Number(min)) + " to " + Number(max);
}

}  // namespace

Napi::Error Refusal(const std::string& name, const std::string& what, Napi::Value got) {
	return MakeError(got.Env(), {"invalid_argument", "Expected `" + name + "` to be " + what + ", got " + Shown(got)});
}

double NumberOf(Napi::Value value, const std::string& name, double min, double max) {
	const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::numeric_limits<double>::quiet_NaN();
	if (!(number >= min && number <= max)) throw Refusal(name, Range("a number", min, max), value);
	return number;
}

int IntOf(Napi::Value value, const std::string& name, int min, int max) {
	const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::numeric_limits<double>::quiet_NaN();
	if (!(number >= min && number <= max) || number != std::floor(number)) {
		throw Refusal(name, Range("a whole number", min, max), value);
	}
	return static_cast<int>(number);
}

double IdOf(Napi::Value value, const std::string& name) {
	const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::numeric_limits<double>::quiet_NaN();
	if (!(std::abs(number) <= kMaxSafe) || number != std::floor(number)) throw Refusal(name, "a whole number", value);
	return number;
}

bool BoolOf(Napi::Value value, const std::string& name) {
	if (!value.IsBoolean()) throw Refusal(name, "true or false", value);
	return value.As<Napi::Boolean>().Value();
}

std::string TextOf(Napi::Value value, const std::string& name) {
	if (!value.IsString()) throw Refusal(name, "a string", value);
	std::string text = value.As<Napi::String>().Utf8Value();
	if (text.find('\0') != std::string::npos) throw Refusal(name, "a string without a NUL", value);
	return text;
}

FloatView FloatsOf(Napi::Value value, const std::string& name) {
	const View view = LookFor(value, napi_float32_array, name);
	return {static_cast<float*>(view.data), view.size};
}

std::vector<float> SamplesOf(Napi::Value value, const std::string& name) {
	const FloatView view = FloatsOf(value, name);
	if (view.size > kMaxSamples) {
		throw MakeError(value.Env(), {"invalid_argument",
			"Expected `" + name + "` to hold at most " + std::to_string(kMaxSamples) + " samples, got " + std::to_string(view.size)});
	}
	return {view.data, view.data + view.size};
}

std::vector<uint8_t> BytesOf(Napi::Value value, const std::string& name) {
	const View view = LookFor(value, napi_uint8_array, name);
	const auto* bytes = static_cast<const uint8_t*>(view.data);
	return {bytes, bytes + view.size};
}

std::vector<Napi::Value> ElementsOf(Napi::Value value, const std::string& name, size_t max) {
	if (!value.IsArray()) throw Refusal(name, "an array", value);
	const auto array = value.As<Napi::Array>();
	const uint32_t count = array.Length();
	if (count > max) {
		throw MakeError(value.Env(), {"invalid_argument",
			"Expected `" + name + "` to have at most " + std::to_string(max) + " elements, got " + std::to_string(count)});
	}
	std::vector<Napi::Value> values;
	values.reserve(count);
	for (uint32_t i = 0; i < count; i++) values.push_back(array.Get(i));
	return values;
}

Options::Options(Napi::Value value, const std::string& name) {
	if (value.Type() != napi_object) throw Refusal(name, "an object", value);
	object_ = value.As<Napi::Object>();
}

bool Options::Switch(const char* name) const {
	const Napi::Value value = Value(name);
	return !value.IsUndefined() && BoolOf(value, name);
}

std::vector<int> Options::Ints(const char* name, int min, int max, size_t max_elements) const {
	std::vector<int> values;
	for (const Napi::Value& value : ElementsOf(Value(name), name, max_elements)) {
		values.push_back(IntOf(value, name, min, max));
	}
	return values;
}

std::vector<std::string> Options::Texts(const char* name, size_t max_elements) const {
	std::vector<std::string> values;
	for (const Napi::Value& value : ElementsOf(Value(name), name, max_elements)) values.push_back(TextOf(value, name));
	return values;
}

Napi::Object Options::Object(const char* name) const {
	const Napi::Value value = Value(name);
	if (value.Type() != napi_object) throw Refusal(name, "an object", value);
	return value.As<Napi::Object>();
}

std::vector<std::string> Options::NamesIn(const Napi::Object& object, const std::string& name) {
	napi_value names = nullptr;
	const napi_status status = napi_get_all_property_names(object.Env(), object, napi_key_own_only,
		static_cast<napi_key_filter>(napi_key_enumerable | napi_key_skip_symbols), napi_key_numbers_to_strings, &names);
	if (status != napi_ok) throw Napi::Error::New(object.Env());
	std::vector<std::string> found;
	for (const Napi::Value& each : ElementsOf(Napi::Value(object.Env(), names), name, kMaxNames)) {
		found.push_back(TextOf(each, name));
	}
	return found;
}

}  // namespace earshot
