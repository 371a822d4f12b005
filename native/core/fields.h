// Options objects of JavaScript as tables of fields.
#pragma once

namespace earshot {

/** A field of an options object: its name in JavaScript, and the member that takes its value. */
template <class Options, class Value>
struct Field {
	const char* name;
	Value Options::*member;
};
template <class Options, class Value>
Field(const char*, Value Options::*) -> Field<Options, Value>;

}  // namespace earshot
