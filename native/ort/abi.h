// The part of ONNX Runtime's C interface that is used here, declared by ourselves. Its functions are in one table whose
// positions never change: later versions append. Each position was verified by calling it on 1.28.2.
#pragma once

#include <cstddef>
#include <cstdint>

namespace earshot::ort {

struct Env;
struct Status;
struct MemoryInfo;
struct SessionHandle;
struct Value;
struct RunOptions;
struct SessionOptions;

/** Older libraries are refused: the operators of our graphs are known to be correct from this version on. */
constexpr int kMajor = 1;
constexpr int kMinMinor = 28;
/** First version that has all positions below. */
constexpr uint32_t kApiVersion = 12;

constexpr int kFloat = 1;             // element type
constexpr int kInvalidArgument = 2;   // error code
constexpr int kLogWarning = 2;
constexpr int kSequential = 0;        // execution mode
constexpr int kOptimizeAll = 99;
constexpr int kArenaAllocator = 1, kDefaultMemory = 0;

using LogFunction = void (*)(void* param, int severity, const char* category, const char* logid, const char* location,
	const char* message);

/** Returned by the library's only export, OrtGetApiBase. */
struct ApiBase {
	/** Null if the library is older; then it also prints a line. */
	const void* const* (*GetApi)(uint32_t version);
	const char* (*GetVersionString)();
};

/** Position, result, name, parameters. Null status = success. */
#define EARSHOT_ORT_FUNCTIONS(X)                                                                                       \
	X(0, Status*, CreateStatus, (int code, const char* message))                                                       \
	X(1, int, GetErrorCode, (const Status*))                                                                           \
	X(2, const char*, GetErrorMessage, (const Status*))                                                                \
	X(4, Status*, CreateEnvWithCustomLogger, (LogFunction, void* param, int level, const char* logid, Env** out))      \
	X(8, Status*, CreateSessionFromArray,                                                                              \
		(const Env*, const void* model, size_t size, const SessionOptions*, SessionHandle** out))                      \
	X(9, Status*, Run,                                                                                                 \
		(SessionHandle*, const RunOptions*, const char* const* inputs, const Value* const* values, size_t count,       \
			const char* const* outputs, size_t output_count, Value** out))                                             \
	X(10, Status*, CreateSessionOptions, (SessionOptions * *out))                                                      \
	X(13, Status*, SetSessionExecutionMode, (SessionOptions*, int mode))                                               \
	X(17, Status*, DisableMemPattern, (SessionOptions*))                                                               \
	X(22, Status*, SetSessionLogSeverityLevel, (SessionOptions*, int level))                                           \
	X(23, Status*, SetSessionGraphOptimizationLevel, (SessionOptions*, int level))                                     \
	X(24, Status*, SetIntraOpNumThreads, (SessionOptions*, int count))                                                 \
	X(25, Status*, SetInterOpNumThreads, (SessionOptions*, int count))                                                 \
	X(39, Status*, CreateRunOptions, (RunOptions * *out))                                                              \
	X(46, Status*, RunOptionsSetTerminate, (RunOptions*))                                                              \
	X(47, Status*, RunOptionsUnsetTerminate, (RunOptions*))                                                            \
	X(49, Status*, CreateTensorWithDataAsOrtValue,                                                                     \
		(const MemoryInfo*, void* data, size_t bytes, const int64_t* shape, size_t rank, int type, Value** out))       \
	X(69, Status*, CreateCpuMemoryInfo, (int allocator, int memory, MemoryInfo** out))                                 \
	X(93, void, ReleaseStatus, (Status*))                                                                              \
	X(94, void, ReleaseMemoryInfo, (MemoryInfo*))                                                                      \
	X(95, void, ReleaseSession, (SessionHandle*))                                                                      \
	X(96, void, ReleaseValue, (Value*))                                                                                \
	X(97, void, ReleaseRunOptions, (RunOptions*))                                                                      \
	X(100, void, ReleaseSessionOptions, (SessionOptions*))                                                             \
	X(130, Status*, AddSessionConfigEntry, (SessionOptions*, const char* key, const char* value))

struct Api {
#define EARSHOT_ORT_MEMBER(position, result, name, parameters) result(*name) parameters = nullptr;
	EARSHOT_ORT_FUNCTIONS(EARSHOT_ORT_MEMBER)
#undef EARSHOT_ORT_MEMBER
};

}  // namespace earshot::ort
