#include "ort/ort.h"

#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "core/log.h"
#include "platform/platform.h"

namespace earshot::ort {

namespace {

/** Any thread. Debug level, since failures are returned as statuses too. */
void LogLine(void*, int, const char*, const char*, const char*, const char* message) {
	Log(LogLevel::kDebug, std::string("onnxruntime: ") + (message == nullptr ? "" : message));
}

}  // namespace

Expected<Done> Runtime::Check(const char* code, Status* status) const {
	if (status == nullptr) return Done{};
	const char* message = api_.GetErrorMessage(status);
	Failure failure{code, std::string("onnxruntime: ") + (message == nullptr ? "it failed" : message)};
	api_.ReleaseStatus(status);
	return failure;
}

Expected<std::shared_ptr<const Runtime>> Runtime::Open(const std::string& path) {
	const auto refuse = [&](const std::string& why) { return Failure{"engine_missing", path + " " + why}; };
	const Expected<SharedLibrary> library = SharedLibrary::Open(path);
	if (!library) return refuse("cannot be loaded: " + library.failure().text);
	void* symbol = library->Find("OrtGetApiBase");
	if (symbol == nullptr) return refuse("is not ONNX Runtime");
	const ApiBase* (*base_of)() = nullptr;
	std::memcpy(&base_of, &symbol, sizeof symbol);
	const ApiBase* base = base_of();

	auto runtime = std::make_shared<Runtime>();
	runtime->version_ = base->GetVersionString();
	int major = 0, minor = 0;
	if (std::sscanf(runtime->version_.c_str(), "%d.%d", &major, &minor) != 2 || major != kMajor || minor < kMinMinor) {
		return refuse("is ONNX Runtime " + runtime->version_ + ", expected " + std::to_string(kMajor) + "." +
			std::to_string(kMinMinor) + " or newer");
	}
	const void* const* table = base->GetApi(kApiVersion);
	if (table == nullptr) return refuse("has no interface of version " + std::to_string(kApiVersion));
	Api& api = runtime->api_;
#define EARSHOT_ORT_READ(position, result, name, parameters) std::memcpy(&api.name, &table[position], sizeof table[0]);
	EARSHOT_ORT_FUNCTIONS(EARSHOT_ORT_READ)
#undef EARSHOT_ORT_READ
	// Verify the first positions before trusting the others.
	Status* probe = api.CreateStatus(kInvalidArgument, "probe");
	const bool sound = probe != nullptr && api.GetErrorCode(probe) == kInvalidArgument &&
		std::strcmp(api.GetErrorMessage(probe), "probe") == 0;
	if (!sound) return refuse("does not behave like ONNX Runtime");
	api.ReleaseStatus(probe);

	Status* status = api.CreateEnvWithCustomLogger(LogLine, nullptr, kLogWarning, "earshot", &runtime->env_);
	if (Expected<Done> made = runtime->Check("engine_missing", status); !made) return made.failure();
	return std::shared_ptr<const Runtime>(std::move(runtime));
}

Expected<std::shared_ptr<const Runtime>> Runtime::Load(const std::string& path) {
	static std::mutex mutex;
	static std::map<std::string, std::shared_ptr<const Runtime>> loaded;
	const std::lock_guard lock(mutex);
	if (const auto found = loaded.find(path); found != loaded.end()) return found->second;
	auto runtime = Guarded("engine_missing", "onnxruntime", [&] { return Open(path); });
	if (runtime) loaded.emplace(path, *runtime);
	return runtime;
}

Expected<std::shared_ptr<const Session>> Session::Load(const SessionLoad& load) {
	auto found = Runtime::Load(load.library);
	if (!found) return found.failure();
	const std::shared_ptr<const Runtime> runtime = *found;
	const Api& api = runtime->api();
	return Guarded("model_load_failed", "onnxruntime", [&]() -> Expected<std::shared_ptr<const Session>> {
		SessionOptions* raw = nullptr;
		Expected<Done> so_far = runtime->Check("model_load_failed", api.CreateSessionOptions(&raw));
		if (!so_far) return so_far.failure();
		const Owned<SessionOptions> options(raw, {api.ReleaseSessionOptions});
		const auto entry = [&](const char* key, const char* value) {
			return api.AddSessionConfigEntry(options.get(), key, value);
		};
		// No spinning: it takes CPU time from other slots. No memory patterns: shapes vary, and one is kept for each.
		for (Status* status : {api.SetIntraOpNumThreads(raw, load.threads), api.SetInterOpNumThreads(raw, 1),
				 api.SetSessionExecutionMode(raw, kSequential), api.SetSessionGraphOptimizationLevel(raw, kOptimizeAll),
				 api.DisableMemPattern(raw), entry("session.intra_op.allow_spinning", "0"),
				 entry("session.use_device_allocator_for_initializers", "1"),
				 entry("session.model_external_initializers_file_folder_path", load.folder.c_str())}) {
			Expected<Done> set = runtime->Check("model_load_failed", status);
			if (!set && so_far) so_far = set;
		}
		if (load.exact_int8 && so_far) {
			so_far = runtime->Check("model_load_failed", entry("session.x64quantprecision", "1"));
		}
		if (!so_far) return so_far.failure();

		SessionHandle* session = nullptr;
		so_far = runtime->Check("model_load_failed",
			api.CreateSessionFromArray(runtime->env(), load.graph.data(), load.graph.size(), raw, &session));
		if (!so_far) return so_far.failure();
		Owned<SessionHandle> handle(session, {api.ReleaseSession});
		// Constant folding leaves the heap at twice the size of its contents.
		TrimHeap();
		MemoryInfo* info = nullptr;
		so_far = runtime->Check("model_load_failed", api.CreateCpuMemoryInfo(kArenaAllocator, kDefaultMemory, &info));
		if (!so_far) return so_far.failure();
		Owned<MemoryInfo> memory(info, {api.ReleaseMemoryInfo});
		return std::make_shared<const Session>(runtime, std::move(handle), std::move(memory), load.threads);
	});
}

Expected<Session::Columns> Session::View(std::initializer_list<Tensor> tensors) const {
	const Api& api = runtime_->api();
	Columns columns;
	for (const auto& [name, data, shape] : tensors) {
		size_t bytes = sizeof(float);
		for (const int64_t size : shape) bytes *= static_cast<size_t>(size);
		Value* value = nullptr;
		Status* status = api.CreateTensorWithDataAsOrtValue(
			memory_.get(), data, bytes, shape.data(), shape.size(), kFloat, &value);
		if (Expected<Done> made = runtime_->Check("engine_failed", status); !made) return made.failure();
		columns.owned.emplace_back(value, Release<Value>{api.ReleaseValue});
		columns.names.push_back(name);
		columns.values.push_back(value);
	}
	return columns;
}

Expected<Session::Pass> Session::Pass::Make(std::shared_ptr<const Session> session) {
	const Api& api = session->runtime_->api();
	RunOptions* options = nullptr;
	Expected<Done> made = session->runtime_->Check("model_load_failed", api.CreateRunOptions(&options));
	if (!made) return made.failure();
	return Pass(std::move(session), Owned<RunOptions>(options, {api.ReleaseRunOptions}));
}

Expected<Done> Session::Pass::Run(
	std::initializer_list<Tensor> ins, std::initializer_list<Tensor> outs, const Cancel& cancel) {
	return Guarded("engine_failed", "onnxruntime", [&]() -> Expected<Done> {
		const Runtime& runtime = *session_->runtime_;
		const Api& api = runtime.api();
		Expected<Columns> given = session_->View(ins);
		if (!given) return given.failure();
		Expected<Columns> made = session_->View(outs);
		if (!made) return made.failure();
		Expected<Done> ready = runtime.Check("engine_failed", api.RunOptionsUnsetTerminate(options_.get()));
		if (!ready) return ready;
		Expected<Done> ran = Done{};
		{
			const Cancel::Listener listener(cancel, [&] {
				(void)runtime.Check("engine_failed", api.RunOptionsSetTerminate(options_.get()));
			});
			ran = runtime.Check("engine_failed",
				api.Run(session_->handle_.get(), options_.get(), given->names.data(), given->values.data(), ins.size(),
					made->names.data(), outs.size(), made->values.data()));
		}
		if (cancel.Requested()) return Cancelled();
		return ran;
	});
}

}  // namespace earshot::ort
