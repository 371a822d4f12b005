// Shared by offline and streaming recognizers: configuration fields by path, and token text.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/failure.h"
#include "sherpa/engine.h"

namespace earshot::sherpa {

enum class Kind { kString, kInt, kFloat };

struct Field {
	size_t offset;
	Kind kind;
};

template <class T>
constexpr Kind KindOf() {
	if constexpr (std::is_same_v<T, const char*>) return Kind::kString;
	else if constexpr (std::is_same_v<T, float>) return Kind::kFloat;
	else {
		static_assert(std::is_same_v<T, int32_t>);
		return Kind::kInt;
	}
}

/** The entry of `Fields` for the field at `path` of the structure `config`. */
#define EARSHOT_CONFIG_FIELD(config, path) \
	{#path, {offsetof(config, path), KindOf<std::remove_cvref_t<decltype(std::declval<config>().path)>>()}}

/** Fields of a configuration by dotted path. */
using Fields = std::map<std::string_view, Field>;

/** Writes `values` into the structure at `config`, which then points to strings in `values`. */
inline Expected<Done> Fill(void* config, const Fields& fields, const SherpaConfig& values) {
	for (const auto& [path, value] : values) {
		const auto found = fields.find(path);
		if (found == fields.end()) return Failure{"model_load_failed", "sherpa-onnx has no setting '" + path + "'"};
		const Field field = found->second;
		const bool is_string = std::holds_alternative<std::string>(value);
		if (is_string != (field.kind == Kind::kString)) {
			return Failure{"model_load_failed", "setting '" + path + "' must be a " + (is_string ? "number" : "string")};
		}
		auto* at = static_cast<char*>(config) + field.offset;
		if (is_string) {
			const char* text = std::get<std::string>(value).c_str();
			std::memcpy(at, &text, sizeof text);
			continue;
		}
		const double number = std::get<double>(value);
		if (field.kind == Kind::kFloat) {
			const auto narrow = static_cast<float>(number);
			std::memcpy(at, &narrow, sizeof narrow);
		} else {
			if (!(std::abs(number) <= INT32_MAX) || number != std::floor(number)) {
				return Failure{"model_load_failed", "setting '" + path + "' must be an integer"};
			}
			const auto narrow = static_cast<int32_t>(number);
			std::memcpy(at, &narrow, sizeof narrow);
		}
	}
	return Done{};
}

inline std::string_view Trimmed(std::string_view text) {
	while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
	while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
	return text;
}

/** The byte that a token like `<0xE4>` of a byte-level vocabulary stands for; -1 for other tokens. */
inline int ByteOf(std::string_view token) {
	if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
	const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
	const int high = digit(token[3]), low = digit(token[4]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace earshot::sherpa
