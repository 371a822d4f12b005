// ONNX Runtime, the library that ships with sherpa-onnx, and its sessions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "core/cancel.h"
#include "core/failure.h"
#include "ort/abi.h"

namespace earshot::ort {

/** The library and its environment. Loaded once per path and never released, since sherpa-onnx may be using both and the
 * order of destruction at exit is undefined. */
class Runtime {
public:
	/** Fails with `engine_missing` if the file is missing, not ONNX Runtime, or too old. */
	static Expected<std::shared_ptr<const Runtime>> Load(const std::string& path);

	const Api& api() const { return api_; }
	const Env* env() const { return env_; }
	const std::string& version() const { return version_; }
	/** Converts a status, and releases it. */
	Expected<Done> Check(const char* code, Status* status) const;

private:
	static Expected<std::shared_ptr<const Runtime>> Open(const std::string& path);

	Api api_;
	Env* env_ = nullptr;
	std::string version_;
};

/** Owning pointers to the library's objects. */
template <class T>
struct Release {
	void (*release)(T*);
	void operator()(T* pointer) const { release(pointer); }
};
template <class T>
using Owned = std::unique_ptr<T, Release<T>>;

struct SessionLoad {
	/** The library's file. */
	std::string library;
	/** The model, with its external data in `folder`. */
	std::vector<uint8_t> graph;
	std::string folder;
	int threads = 1;
	/** Avoid saturation of products with 8-bit weights on x86 without VNNI. */
	bool exact_int8 = false;
};

/** A model whose inputs and outputs are all f32. Any thread, in parallel. */
class Session {
public:
	static Expected<std::shared_ptr<const Session>> Load(const SessionLoad& load);
	const Runtime& runtime() const { return *runtime_; }
	/** Threads of one run. */
	int threads() const { return threads_; }

	struct Tensor {
		const char* name;
		float* data;
		std::vector<int64_t> shape;
	};

	/** Runs the session, one call at a time; reusable. */
	class Pass {
	public:
		static Expected<Pass> Make(std::shared_ptr<const Session> session);
		/** Writes into `outs`, whose shapes must be the model's. Cancelled at the next node. */
		Expected<Done> Run(
			std::initializer_list<Tensor> ins, std::initializer_list<Tensor> outs, const Cancel& cancel);
		int threads() const { return session_->threads(); }

	private:
		Pass(std::shared_ptr<const Session> session, Owned<RunOptions> options)
			: session_(std::move(session)), options_(std::move(options)) {}

		std::shared_ptr<const Session> session_;
		Owned<RunOptions> options_;
	};

	Session(std::shared_ptr<const Runtime> runtime, Owned<SessionHandle> handle, Owned<MemoryInfo> memory, int threads)
		: runtime_(std::move(runtime)), handle_(std::move(handle)), memory_(std::move(memory)), threads_(threads) {}

private:
	/** Views of tensors, as parallel arrays for the library. */
	struct Columns {
		std::vector<Owned<Value>> owned;
		std::vector<const char*> names;
		std::vector<Value*> values;
	};
	Expected<Columns> View(std::initializer_list<Tensor> tensors) const;

	std::shared_ptr<const Runtime> runtime_;
	Owned<SessionHandle> handle_;
	Owned<MemoryInfo> memory_;
	const int threads_;
};

}  // namespace earshot::ort
