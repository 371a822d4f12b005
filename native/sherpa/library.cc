// Loads sherpa-onnx's library, checks its version, and captures what it prints to stderr.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "platform/platform.h"
#include "sherpa/api.h"

namespace earshot::sherpa {

namespace {

constexpr std::array kProviders = {"CPU", "CUDA", "CoreML", "Tensorrt", "ROCM", "DML"};

/** A build of ONNX Runtime exports one function per provider. */
std::vector<std::string> Providers(const SharedLibrary& runtime) {
	std::vector<std::string> found;
	for (const char* name : kProviders) {
		const std::string symbol = std::string("OrtSessionOptionsAppendExecutionProvider_") + name;
		if (runtime.Find(symbol.c_str()) != nullptr) found.emplace_back(name);
	}
	return found;
}

/** Where this thread's stderr output goes, if anywhere. */
thread_local std::string* captured = nullptr;

/** Enough for the message of an exception; a broken model may repeat one endlessly. */
constexpr size_t kMaxStderrBytes = 16384;

void AppendCaptured(const char* bytes, size_t size) {
	if (captured != nullptr && captured->size() < kMaxStderrBytes) captured->append(bytes, size);
}

Expected<std::shared_ptr<const Library>> Open(const std::string& folder) {
	const std::string path = folder + '/' + SharedLibrary::FileName("sherpa-onnx-c-api");
	// Load it before the library that needs it by name: Windows has an older one in System32. Optional, since some builds
	// link it statically.
	const Expected<SharedLibrary> runtime = SharedLibrary::Open(folder + '/' + SharedLibrary::FileName("onnxruntime"));
	const Expected<SharedLibrary> handle = SharedLibrary::Open(path);
	if (!handle) {
		return Failure{"engine_missing",
			"sherpa-onnx " + std::string(kSherpaVersion) + " cannot be loaded: " + handle.failure().text};
	}
	auto library = std::make_shared<Library>();
	std::string missing;
	const auto find = [&](auto& function, const char* name) {
		void* symbol = handle->Find(name);
		if (symbol == nullptr) missing = name;
		std::memcpy(&function, &symbol, sizeof symbol);
	};
#define EARSHOT_FIND(name) find(library->name, "SherpaOnnx" #name)
	EARSHOT_FIND(GetVersionStr);
	if (!missing.empty()) return Failure{"engine_missing", path + " is not sherpa-onnx: it has no " + missing};
	const char* version = library->GetVersionStr();
	if (version == nullptr || std::strcmp(version, kSherpaVersion) != 0) {
		return Failure{"engine_missing", path + " is sherpa-onnx " + (version == nullptr ? "?" : version) +
			"; this build of Earshot knows the structures of " + kSherpaVersion + " only"};
	}
	EARSHOT_FIND(GetGitSha1);
	EARSHOT_FIND(GetOnnxruntimeVersionStr);
	EARSHOT_FIND(CreateOfflineRecognizer);
	EARSHOT_FIND(DestroyOfflineRecognizer);
	EARSHOT_FIND(OfflineRecognizerSetConfig);
	EARSHOT_FIND(CreateOfflineStream);
	EARSHOT_FIND(CreateOfflineStreamWithHotwords);
	EARSHOT_FIND(DestroyOfflineStream);
	EARSHOT_FIND(OfflineStreamSetOption);
	EARSHOT_FIND(DecodeOfflineStream);
	EARSHOT_FIND(DecodeMultipleOfflineStreams);
	EARSHOT_FIND(GetOfflineStreamResult);
	EARSHOT_FIND(DestroyOfflineRecognizerResult);
	EARSHOT_FIND(AcceptWaveformOffline);
	EARSHOT_FIND(CreateOnlineRecognizer);
	EARSHOT_FIND(DestroyOnlineRecognizer);
	EARSHOT_FIND(CreateOnlineStream);
	EARSHOT_FIND(CreateOnlineStreamWithHotwords);
	EARSHOT_FIND(DestroyOnlineStream);
	EARSHOT_FIND(OnlineStreamSetOption);
	EARSHOT_FIND(OnlineStreamAcceptWaveform);
	EARSHOT_FIND(OnlineStreamInputFinished);
	EARSHOT_FIND(IsOnlineStreamReady);
	EARSHOT_FIND(DecodeMultipleOnlineStreams);
	EARSHOT_FIND(GetOnlineStreamResult);
	EARSHOT_FIND(DestroyOnlineRecognizerResult);
	EARSHOT_FIND(OnlineStreamIsEndpoint);
	EARSHOT_FIND(OnlineStreamReset);
	EARSHOT_FIND(CreateOfflinePunctuation);
	EARSHOT_FIND(DestroyOfflinePunctuation);
	// These two lack the common prefix.
	find(library->OfflinePunctuationAddPunct, "SherpaOfflinePunctuationAddPunct");
	find(library->OfflinePunctuationFreeText, "SherpaOfflinePunctuationFreeText");
	EARSHOT_FIND(CreateVoiceActivityDetector);
	EARSHOT_FIND(DestroyVoiceActivityDetector);
	EARSHOT_FIND(VoiceActivityDetectorAcceptWaveform);
	EARSHOT_FIND(VoiceActivityDetectorDetected);
	EARSHOT_FIND(VoiceActivityDetectorEmpty);
	EARSHOT_FIND(VoiceActivityDetectorPop);
	EARSHOT_FIND(VoiceActivityDetectorFront);
	EARSHOT_FIND(DestroySpeechSegment);
	EARSHOT_FIND(VoiceActivityDetectorReset);
	EARSHOT_FIND(VoiceActivityDetectorFlush);
#undef EARSHOT_FIND
	if (!missing.empty()) return Failure{"engine_missing", path + " has no " + missing};
	if (runtime) library->providers = Providers(*runtime);
	static std::once_flag once;
	std::call_once(once, [] { CaptureStderr(AppendCaptured); });
	return std::shared_ptr<const Library>(std::move(library));
}

}  // namespace

CapturedStderr::CapturedStderr() : before_(std::exchange(captured, &text_)) {}
CapturedStderr::~CapturedStderr() {
	if (before_ != nullptr) before_->append(text_);
	captured = before_;
}

std::string CapturedStderr::Message() const {
	std::istringstream lines(text_);
	std::string line, all;
	while (std::getline(lines, line)) {
		// `/folder/file.cc:Function:12 what it says`
		if (line.starts_with('/')) line.erase(0, std::min(line.find(' '), line.size()));
		const size_t from = line.find_first_not_of(" \t\r");
		if (from == std::string::npos) continue;
		if (!all.empty()) all += ' ';
		all += line.substr(from);
	}
	constexpr size_t kLongest = 600;
	if (all.size() > kLongest) all.resize(kLongest);
	return all;
}

Expected<std::shared_ptr<const Library>> Library::Load(const std::string& folder) {
	static std::mutex mutex;
	static std::map<std::string, std::shared_ptr<const Library>> loaded;
	const std::lock_guard lock(mutex);
	if (const auto found = loaded.find(folder); found != loaded.end()) return found->second;
	auto library = Guarded("engine_missing", "sherpa-onnx", [&] { return Open(folder); });
	if (library) loaded.emplace(folder, *library);
	return library;
}

}  // namespace earshot::sherpa
