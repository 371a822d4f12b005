#include "addon/session.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <napi.h>

#include "addon/exports.h"
#include "addon/handle.h"
#include "core/limits.h"
#include "napi/arguments.h"
#include "napi/async_task.h"
#include "napi/functions.h"

namespace earshot {

namespace {

/** Fixed random tags, which distinguish these objects from those of other addons. */
constexpr napi_type_tag kTags[] = {{0x5d0c7c1e4bb14fd6, 0x9ba0c8a1f3ed2c47}, {0x2f64ae39c5a84d08, 0xb1d26f7705e9a3d1}};

/** Freed by Node-API's finalizer. */
Napi::Value MakeSession(Napi::Env env, Session session, SessionKind kind) {
	Napi::Object object = Napi::Object::New(env);
	auto held = std::make_unique<Session>(std::move(session));
	napi_status status = napi_wrap(env, object, held.get(),
		[](napi_env, void* data, void*) { const std::unique_ptr<Session> owned(static_cast<Session*>(data)); }, nullptr, nullptr);
	if (status != napi_ok) throw Napi::Error::New(env);
	(void)held.release();
	status = napi_type_tag_object(env, object, &kTags[static_cast<size_t>(kind)]);
	if (status != napi_ok) throw Napi::Error::New(env);
	return object;
}

ort::SessionLoad ReadSession(const Options& options, int threads) {
	const Napi::Value graph = options.Value("graph");
	std::string library = options.Text("library"), folder = options.Text("folder");
	return {std::move(library), BytesOf(graph, "graph"), std::move(folder), threads};
}

Napi::Promise LoadSession(Napi::Env env, ort::SessionLoad load, SessionKind kind) {
	return AsyncTask::Start(env,
		std::make_unique<Task<Session>>([load = std::move(load)] { return ort::Session::Load(load); },
			[kind](Napi::Env settled, Session& session) { return MakeSession(settled, std::move(session), kind); }));
}

/** Maximum elements of a tensor, 256 MiB, since JavaScript gives the size of the output. */
constexpr double kMaxElements = 1 << 26;
constexpr size_t kMaxDimensions = 8;

using Network = const ort::Session;

struct Shape {
	std::vector<int64_t> sizes;
	size_t elements = 1;
};

Shape ShapeIn(const Options& options, const char* name) {
	const Napi::Value given = options.Value(name);
	Shape shape;
	double elements = 1;
	for (const int size : options.Ints(name, 1, static_cast<int>(kMaxElements), kMaxDimensions)) {
		shape.sizes.push_back(size);
		elements *= size;
	}
	if (elements > kMaxElements) throw Refusal(name, "at most 67108864 elements", given);
	shape.elements = static_cast<size_t>(elements);
	return shape;
}

struct Call {
	std::string input, output;
	Shape input_shape, output_shape;
	std::vector<float> values;
};

Expected<std::vector<float>> Compute(Network& network, Call& call, const Cancel& cancel) {
	// Sessions may be run in parallel, each run with its own options.
	const std::shared_ptr<Network> borrowed(std::shared_ptr<void>(), &network);
	Expected<ort::Session::Pass> pass = ort::Session::Pass::Make(borrowed);
	if (!pass) return pass.failure();
	std::vector<float> made(call.output_shape.elements);
	const Expected<Done> ran = pass->Run({{call.input.c_str(), call.values.data(), call.input_shape.sizes}},
		{{call.output.c_str(), made.data(), call.output_shape.sizes}}, cancel);
	if (!ran) return ran.failure();
	return made;
}

Napi::Object MakeNetwork(Napi::Env env, std::shared_ptr<Network> session) {
	Napi::Object object = Napi::Object::New(env);
	const auto handle = std::make_shared<Handle<Network>>(std::move(session), limits::kMaxSlots, FreeOn::kPool);
	object.Set("run", AsyncFunction(env, "run", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		const Options options(info[1]);
		const double clip = options.Id("clip");
		auto call = std::make_shared<Call>();
		call->input = options.Text("input");
		call->output = options.Text("output");
		call->input_shape = ShapeIn(options, "inputShape");
		call->output_shape = ShapeIn(options, "outputShape");
		call->values = SamplesOf(info[0], "values");
		if (call->values.size() != call->input_shape.elements) {
			throw Refusal("values", "as many numbers as `inputShape` says", info[0]);
		}
		return handle->Start<std::vector<float>>(info.Env(), clip,
			[call](Network& network, const Cancel& cancel) { return Compute(network, *call, cancel); },
			[](Napi::Env settled, std::vector<float>& made) -> Napi::Value {
				Napi::Float32Array values = Napi::Float32Array::New(settled, made.size());
				std::copy(made.begin(), made.end(), values.Data());
				return values;
			});
	}));
	object.Set("cancel", Function(env, "cancel", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		handle->CancelClip(IdOf(info[0], "clip"));
		return info.Env().Undefined();
	}));
	object.Set("close", AsyncFunction(env, "close", [handle](const Napi::CallbackInfo& info) -> Napi::Value {
		return handle->Close(info.Env());
	}));
	return object;
}

}  // namespace

Session* SessionIn(Napi::Value value, SessionKind kind) {
	if (value.Type() != napi_object) return nullptr;
	bool has_tag = false;
	if (napi_check_object_type_tag(value.Env(), value, &kTags[static_cast<size_t>(kind)], &has_tag) != napi_ok || !has_tag) {
		return nullptr;
	}
	void* held = nullptr;
	return napi_unwrap(value.Env(), value, &held) == napi_ok ? static_cast<Session*>(held) : nullptr;
}

Napi::Value LoadEncoder(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	ort::SessionLoad load = ReadSession(options, options.Int("threads", 1, limits::kMaxThreads));
	load.exact_int8 = options.Switch("exactInt8");
	return LoadSession(info.Env(), std::move(load), SessionKind::kEncoder);
}

Napi::Value LoadSpeechNetwork(const Napi::CallbackInfo& info) {
	return LoadSession(info.Env(), ReadSession(Options(info[0]), 1), SessionKind::kSpeechNetwork);
}

Napi::Value LoadNetwork(const Napi::CallbackInfo& info) {
	const Options options(info[0]);
	ort::SessionLoad load;
	load.library = options.Text("library");
	load.threads = options.Int("threads", 1, limits::kMaxThreads);
	load.graph = BytesOf(options.Value("graph"), "graph");
	return AsyncTask::Start(info.Env(),
		std::make_unique<Task<Session>>([load = std::move(load)] { return ort::Session::Load(load); },
			[](Napi::Env env, Session& session) { return MakeNetwork(env, std::move(session)); }));
}

}  // namespace earshot
