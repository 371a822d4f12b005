#include "napi/async_task.h"

#include <exception>

namespace earshot {

Napi::Promise AsyncTask::Start(Napi::Env env, std::unique_ptr<AsyncTask> task) {
	task->deferred_ = std::make_unique<Napi::Promise::Deferred>(Napi::Promise::Deferred::New(env));
	const Napi::Promise promise = task->deferred_->Promise();
	const Napi::String name = Napi::String::New(env, "earshot");
	napi_status status = napi_create_async_work(env, nullptr, name, Execute, Complete, task.get(), &task->work_);
	if (status != napi_ok) throw Napi::Error::New(env);
	status = napi_queue_async_work(env, task->work_);
	if (status != napi_ok) {
		napi_delete_async_work(env, task->work_);
		throw Napi::Error::New(env);
	}
	(void)task.release();  // Complete takes ownership back
	return promise;
}

void AsyncTask::Execute(napi_env, void* data) { static_cast<AsyncTask*>(data)->Run(); }

void AsyncTask::Complete(napi_env raw, napi_status, void* data) {
	const std::unique_ptr<AsyncTask> task(static_cast<AsyncTask*>(data));
	const Napi::Env env(raw);
	// Nothing may be thrown from here. During environment teardown every call fails, which is fine.
	try {
		const Napi::HandleScope scope(env);
		napi_delete_async_work(raw, task->work_);
		task->Finish(env);
		try {
			task->deferred_->Resolve(task->Settle(env));
		} catch (const Napi::Error& error) {
			task->deferred_->Reject(error.Value());
		} catch (const std::exception& error) {
			task->deferred_->Reject(MakeError(env, {"engine_failed", error.what()}).Value());
		}
	} catch (...) {
	}
}

}  // namespace earshot
