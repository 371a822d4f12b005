// sherpa-onnx: the library, and recognizers on it. One recognizer serves any number of threads at once.
#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/platform.h"
#include "sherpa/api.h"
#include "sherpa/config.h"
#include "sherpa/engine.h"

namespace earshot {

namespace sherpa {

namespace {

constexpr std::array kProviders = {"CPU", "CUDA", "CoreML", "Tensorrt", "ROCM", "DML"};

/** A build exports one function for each provider it has. */
std::vector<std::string> Providers(const SharedLibrary& runtime) {
	std::vector<std::string> found;
	for (const char* name : kProviders) {
		const std::string symbol = std::string("OrtSessionOptionsAppendExecutionProvider_") + name;
		if (runtime.Find(symbol.c_str()) != nullptr) found.emplace_back(name);
	}
	return found;
}

/** Where this thread's words are kept. */
thread_local std::string* captured = nullptr;

/** Enough for the message of an exception; what a broken model repeats for ever is not kept. */
constexpr size_t kMostWords = 16384;

void AppendCaptured(const char* bytes, size_t size) {
	if (captured != nullptr && captured->size() < kMostWords) captured->append(bytes, size);
}

Expected<std::shared_ptr<const Library>> Open(const std::string& folder) {
	const std::string path = folder + '/' + SharedLibrary::FileName("sherpa-onnx-c-api");
	// Before the library that asks for it by its name: Windows has an older one in System32. It may be linked in.
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
	if (!missing.empty()) return Failure{"engine_missing", path + " is no sherpa-onnx: it has no " + missing};
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
	// These two lack the prefix that all others have.
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
	static std::once_flag listening;
	std::call_once(listening, [] { OnStderr(AppendCaptured); });
	return std::shared_ptr<const Library>(std::move(library));
}

}  // namespace

Words::Words() : before_(std::exchange(captured, &text_)) {}
Words::~Words() {
	if (before_ != nullptr) before_->append(text_);
	captured = before_;
}

std::string Words::Line() const {
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

}  // namespace sherpa

namespace {

using sherpa::RecognizerConfig;

/** Every field of the configuration that may be set, by its path. */
const sherpa::Fields& AllFields() {
#define EARSHOT_FIELD(path) \
	{#path, {offsetof(RecognizerConfig, path), \
		sherpa::KindOf<std::remove_cvref_t<decltype(std::declval<RecognizerConfig>().path)>>()}}
#define EARSHOT_MODEL(path) EARSHOT_FIELD(model_config.path)
	static const sherpa::Fields fields = {
		EARSHOT_FIELD(feat_config.sample_rate),
		EARSHOT_FIELD(feat_config.feature_dim),
		EARSHOT_MODEL(transducer.encoder),
		EARSHOT_MODEL(transducer.decoder),
		EARSHOT_MODEL(transducer.joiner),
		EARSHOT_MODEL(paraformer.model),
		EARSHOT_MODEL(nemo_ctc.model),
		EARSHOT_MODEL(whisper.encoder),
		EARSHOT_MODEL(whisper.decoder),
		EARSHOT_MODEL(whisper.language),
		EARSHOT_MODEL(whisper.task),
		EARSHOT_MODEL(whisper.tail_paddings),
		EARSHOT_MODEL(whisper.enable_token_timestamps),
		EARSHOT_MODEL(whisper.enable_segment_timestamps),
		EARSHOT_MODEL(tdnn.model),
		EARSHOT_MODEL(tokens),
		EARSHOT_MODEL(num_threads),
		EARSHOT_MODEL(debug),
		EARSHOT_MODEL(provider),
		EARSHOT_MODEL(model_type),
		EARSHOT_MODEL(modeling_unit),
		EARSHOT_MODEL(bpe_vocab),
		EARSHOT_MODEL(telespeech_ctc),
		EARSHOT_MODEL(sense_voice.model),
		EARSHOT_MODEL(sense_voice.language),
		EARSHOT_MODEL(sense_voice.use_itn),
		EARSHOT_MODEL(moonshine.preprocessor),
		EARSHOT_MODEL(moonshine.encoder),
		EARSHOT_MODEL(moonshine.uncached_decoder),
		EARSHOT_MODEL(moonshine.cached_decoder),
		EARSHOT_MODEL(moonshine.merged_decoder),
		EARSHOT_MODEL(fire_red_asr.encoder),
		EARSHOT_MODEL(fire_red_asr.decoder),
		EARSHOT_MODEL(dolphin.model),
		EARSHOT_MODEL(zipformer_ctc.model),
		EARSHOT_MODEL(canary.encoder),
		EARSHOT_MODEL(canary.decoder),
		EARSHOT_MODEL(canary.src_lang),
		EARSHOT_MODEL(canary.tgt_lang),
		EARSHOT_MODEL(canary.use_pnc),
		EARSHOT_MODEL(wenet_ctc.model),
		EARSHOT_MODEL(omnilingual.model),
		EARSHOT_MODEL(medasr.model),
		EARSHOT_MODEL(funasr_nano.encoder_adaptor),
		EARSHOT_MODEL(funasr_nano.llm),
		EARSHOT_MODEL(funasr_nano.embedding),
		EARSHOT_MODEL(funasr_nano.tokenizer),
		EARSHOT_MODEL(funasr_nano.system_prompt),
		EARSHOT_MODEL(funasr_nano.user_prompt),
		EARSHOT_MODEL(funasr_nano.max_new_tokens),
		EARSHOT_MODEL(funasr_nano.temperature),
		EARSHOT_MODEL(funasr_nano.top_p),
		EARSHOT_MODEL(funasr_nano.seed),
		EARSHOT_MODEL(funasr_nano.language),
		EARSHOT_MODEL(funasr_nano.itn),
		EARSHOT_MODEL(funasr_nano.hotwords),
		EARSHOT_MODEL(fire_red_asr_ctc.model),
		EARSHOT_MODEL(qwen3_asr.conv_frontend),
		EARSHOT_MODEL(qwen3_asr.encoder),
		EARSHOT_MODEL(qwen3_asr.decoder),
		EARSHOT_MODEL(qwen3_asr.tokenizer),
		EARSHOT_MODEL(qwen3_asr.max_total_len),
		EARSHOT_MODEL(qwen3_asr.max_new_tokens),
		EARSHOT_MODEL(qwen3_asr.temperature),
		EARSHOT_MODEL(qwen3_asr.top_p),
		EARSHOT_MODEL(qwen3_asr.seed),
		EARSHOT_MODEL(qwen3_asr.hotwords),
		EARSHOT_MODEL(cohere_transcribe.encoder),
		EARSHOT_MODEL(cohere_transcribe.decoder),
		EARSHOT_MODEL(cohere_transcribe.language),
		EARSHOT_MODEL(cohere_transcribe.use_punct),
		EARSHOT_MODEL(cohere_transcribe.use_itn),
		EARSHOT_FIELD(lm_config.model),
		EARSHOT_FIELD(lm_config.scale),
		EARSHOT_FIELD(decoding_method),
		EARSHOT_FIELD(max_active_paths),
		EARSHOT_FIELD(hotwords_file),
		EARSHOT_FIELD(hotwords_score),
		EARSHOT_FIELD(rule_fsts),
		EARSHOT_FIELD(rule_fars),
		EARSHOT_FIELD(blank_penalty),
		EARSHOT_FIELD(hr.lexicon),
		EARSHOT_FIELD(hr.rule_fsts),
	};
#undef EARSHOT_FIELD
#undef EARSHOT_MODEL
	return fields;
}

/** `<|zh|>` → `zh` */
std::string Unbracketed(const char* text) {
	std::string_view view = text == nullptr ? "" : text;
	if (view.starts_with("<|") && view.ends_with("|>") && view.size() >= 4) view = view.substr(2, view.size() - 4);
	return std::string(view);
}

/** The library's features need a frame or two: what is shorter gets silence behind it. */
constexpr size_t kLeastSamples = kSampleRate / 10;

/** Lets decodes in: any number at once while they want the same configuration, in the order they came. */
class Gate {
public:
	/** `apply` is called before a decode that wants another configuration than the last, and alone. */
	template <class Apply>
	void Enter(const SherpaConfig& wanted, bool alone, Apply apply) {
		std::unique_lock lock(mutex_);
		const uint64_t ticket = next_++;
		turn_.wait(lock, [&] { return serving_ == ticket && (running_ == 0 || (!alone && applied_ == wanted)); });
		serving_++;
		turn_.notify_all();
		if (applied_ != wanted) {
			// Should it throw, what is applied is unknown: the next one applies its own.
			applied_ = {{"", 0.0}};
			apply();
			applied_ = wanted;
		}
		running_++;
	}
	void Leave() {
		const std::lock_guard lock(mutex_);
		running_--;
		turn_.notify_all();
	}

private:
	std::mutex mutex_;
	std::condition_variable turn_;
	// All guarded by mutex_.
	uint64_t next_ = 0, serving_ = 0;
	int running_ = 0;
	SherpaConfig applied_;
};

class Sherpa final : public SherpaEngine {
public:
	Sherpa(std::shared_ptr<const sherpa::Library> library, SherpaLoad load)
		: library_(std::move(library)),
		  load_(std::move(load)),
		  recognizer_(nullptr, library_->DestroyOfflineRecognizer),
		  apart_(nullptr, library_->DestroyOfflineRecognizer),
		  punctuation_(nullptr, library_->DestroyOfflinePunctuation) {}

	Expected<Done> Create() {
		const sherpa::Words words;
		auto recognizer = CreateRecognizer();
		if (!recognizer) return recognizer.failure();
		recognizer_ = std::move(*recognizer);
		info_ = {library_->GetVersionStr(), library_->GetOnnxruntimeVersionStr(), library_->GetGitSha1(),
			library_->providers, words.Has("allback to cpu") ? words.Line() : ""};
		if (load_.punctuation.empty()) return Done{};
		sherpa::Padded<sherpa::PunctuationConfig> padded;
		padded.config.ct_transformer = load_.punctuation.c_str();
		padded.config.num_threads = 1;
		padded.config.provider = "cpu";
		punctuation_.reset(library_->CreateOfflinePunctuation(&padded.config));
		if (!punctuation_) return Failure{"model_load_failed", "sherpa-onnx refused " + load_.punctuation + ": " + words.Line()};
		return Done{};
	}

	const SherpaInfo& info() const override { return info_; }

	Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) override {
		return Guarded("engine_failed", "sherpa-onnx", [&] { return Run(requests, options, on_result); });
	}

private:
	using StreamHandle = std::unique_ptr<const sherpa::Stream, void (*)(const sherpa::Stream*)>;
	using RecognizerHandle = std::unique_ptr<const sherpa::Recognizer, void (*)(const sherpa::Recognizer*)>;

	Expected<RecognizerHandle> CreateRecognizer() {
		const sherpa::Words words;
		sherpa::Padded<RecognizerConfig> padded;
		if (Expected<Done> filled = sherpa::Fill(&padded.config, AllFields(), load_.config); !filled) return filled.failure();
		RecognizerHandle recognizer(
			library_->CreateOfflineRecognizer(&padded.config), library_->DestroyOfflineRecognizer);
		if (!recognizer) return Failure{"model_load_failed", "sherpa-onnx refused the model: " + words.Line()};
		return recognizer;
	}

	bool TakesHotwords() const {
		const auto method = load_.config.find("decoding_method");
		return load_.config.contains("model_config.transducer.encoder") && method != load_.config.end() &&
			method->second == decltype(method->second)("modified_beam_search");
	}

	/** Decodes under the configuration that these clips want. */
	Expected<Done> Decode(std::vector<const sherpa::Stream*>& views, const Options& options) {
		const bool apart = load_.changes_apart && !options.changes.empty();
		const auto decode = [&](const sherpa::Recognizer* recognizer) {
			if (views.size() == 1) library_->DecodeOfflineStream(recognizer, views[0]);
			if (views.size() > 1) {
				library_->DecodeMultipleOfflineStreams(recognizer, views.data(), static_cast<int32_t>(views.size()));
			}
		};
		if (load_.changes_apart && !apart) {
			decode(recognizer_.get());
			return Done{};
		}
		if (apart) {
			const std::lock_guard lock(apart_mutex_);
			if (!apart_) {
				auto recognizer = CreateRecognizer();
				if (!recognizer) return recognizer.failure();
				apart_ = std::move(*recognizer);
			}
		}
		const sherpa::Recognizer* recognizer = apart ? apart_.get() : recognizer_.get();
		Expected<Done> applied = Done{};
		gate_.Enter(options.changes, load_.exclusive, [&] {
			SherpaConfig config = load_.config;
			for (const auto& [path, value] : options.changes) config[path] = value;
			sherpa::Padded<RecognizerConfig> padded;
			applied = sherpa::Fill(&padded.config, AllFields(), config);
			if (applied) library_->OfflineRecognizerSetConfig(recognizer, &padded.config);
		});
		struct Leave {
			Gate& gate;
			~Leave() { gate.Leave(); }
		} const leave{gate_};
		if (applied) decode(recognizer);
		return applied;
	}

	Expected<Done> Run(const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) {
		// On other models the library ends the process.
		if (!options.hotwords.empty() && !TakesHotwords()) {
			return Failure{"engine_failed", "hotwords need a transducer with decoding_method modified_beam_search"};
		}
		const sherpa::Words words;
		std::vector<StreamHandle> streams;
		std::vector<const sherpa::Stream*> views;
		std::vector<size_t> decoded;  // which request each of the streams is of
		std::vector<float> padded;
		for (size_t i = 0; i < requests.size(); i++) {
			const Clip& clip = requests[i].clip;
			if (requests[i].cancel->Requested() || clip.size == 0) {
				on_result(i, requests[i].cancel->Requested() ? Expected<RawResult>(Cancelled()) : RawResult{});
				continue;
			}
			if (clip.size > INT32_MAX) return Failure{"engine_failed", "the clip is too long for sherpa-onnx"};
			StreamHandle stream(options.hotwords.empty()
					? library_->CreateOfflineStream(recognizer_.get())
					: library_->CreateOfflineStreamWithHotwords(recognizer_.get(), options.hotwords.c_str()),
				library_->DestroyOfflineStream);
			if (!stream) return Failure{"engine_failed", "sherpa-onnx made no stream: " + words.Line()};
			if (!options.hotwords.empty() && (words.Has("Encode hotwords failed") || words.Has("Cannot find ID"))) {
				return Failure{"engine_failed", "the hotwords cannot be written: " + words.Line()};
			}
			for (const auto& [key, value] : options.stream) {
				library_->OfflineStreamSetOption(stream.get(), key.c_str(), value.c_str());
			}
			const float* samples = clip.samples;
			size_t size = clip.size;
			if (size < kLeastSamples) {
				padded.assign(kLeastSamples, 0.0F);
				std::copy_n(clip.samples, clip.size, padded.begin());
				samples = padded.data();
				size = kLeastSamples;
			}
			library_->AcceptWaveformOffline(stream.get(), kSampleRate, samples, static_cast<int32_t>(size));
			views.push_back(stream.get());
			streams.push_back(std::move(stream));
			decoded.push_back(i);
		}
		if (std::all_of(decoded.begin(), decoded.end(), [&](size_t request) { return requests[request].cancel->Requested(); })) {
			return Cancelled();
		}
		if (Expected<Done> decoded = Decode(views, options); !decoded) return decoded.failure();
		for (size_t i = 0; i < decoded.size(); i++) {
			const ClipRequest& request = requests[decoded[i]];
			// The library cannot be stopped in the middle; what was cancelled is at least not collected.
			on_result(decoded[i],
				request.cancel->Requested() ? Expected<RawResult>(Cancelled()) : Result(views[i], request.clip, words));
		}
		return Done{};
	}

	Expected<RawResult> Result(const sherpa::Stream* stream, const Clip& clip, const sherpa::Words& words) {
		const std::unique_ptr<const sherpa::Result, void (*)(const sherpa::Result*)> raw(
			library_->GetOfflineStreamResult(stream), library_->DestroyOfflineRecognizerResult);
		if (!raw) return Failure{"engine_failed", "sherpa-onnx gave no result: " + words.Line()};
		if (Failed(*raw, words)) return Failure{"engine_failed", "sherpa-onnx failed on the clip: " + words.Line()};
		RawResult result = Collect(*raw, clip);
		Punctuate(result);
		return result;
	}

	/**
	 * Several families swallow their exceptions, say so on stderr and leave the result as it was made: empty.
	 * Silence is empty too, but the library said nothing of it, and SenseVoice gives a language.
	 */
	bool Failed(const sherpa::Result& raw, const sherpa::Words& words) const {
		const auto empty = [](const char* text) { return text == nullptr || *text == '\0'; };
		if (!empty(raw.text)) return false;
		if (load_.config.contains("model_config.sense_voice.model") && empty(raw.lang)) return true;
		for (const char* sign : {"xception", "Invalid language", "Please specify", "mismatch", "not supported"}) {
			if (words.Has(sign)) return true;
		}
		return false;
	}

	void Punctuate(RawResult& result) const {
		const std::string_view text = sherpa::Trimmed(result.text.empty() ? result.bytes : result.text);
		if (!punctuation_ || text.empty()) return;
		const std::unique_ptr<const char, void (*)(const char*)> punctuated(
			library_->OfflinePunctuationAddPunct(punctuation_.get(), std::string(text).c_str()),
			library_->OfflinePunctuationFreeText);
		if (punctuated && *punctuated != '\0') result.text = punctuated.get();
	}

	static RawResult Collect(const sherpa::Result& raw, const Clip& clip) {
		RawResult result;
		const std::string_view text = raw.text == nullptr ? "" : raw.text;
		result.language = Unbracketed(raw.lang);
		result.emotion = Unbracketed(raw.emotion);
		result.event = Unbracketed(raw.event);
		const auto end_of_clip = static_cast<float>(clip.Seconds());
		const auto inside = [&](float seconds) { return std::clamp(seconds, 0.0F, end_of_clip); };
		if (raw.segment_count > 0 && raw.segment_texts_arr != nullptr && raw.segment_timestamps != nullptr &&
			raw.segment_durations != nullptr) {
			// Which token belongs to which segment is unknown: each segment is one token.
			for (int32_t i = 0; i < raw.segment_count; i++) {
				if (raw.segment_texts_arr[i] == nullptr) continue;
				const float start = inside(raw.segment_timestamps[i]);
				const float end = std::max(start, inside(raw.segment_timestamps[i] + raw.segment_durations[i]));
				result.AddToken(raw.segment_texts_arr[i], -1, start, end, kUnknown);
				result.AddSegment(start, end, kUnknown, kUnknown, kUnknown);
			}
			return result;
		}
		double logprobs = 0;
		for (int32_t i = 0; raw.tokens_arr != nullptr && i < raw.count; i++) {
			if (raw.tokens_arr[i] == nullptr) continue;
			float start = kUnknown, end = kUnknown;
			if (raw.timestamps != nullptr) start = inside(raw.timestamps[i]);
			if (raw.timestamps != nullptr && raw.durations != nullptr) {
				end = std::max(start, inside(raw.timestamps[i] + raw.durations[i]));
			}
			const float logprob = raw.ys_log_probs == nullptr ? kUnknown : raw.ys_log_probs[i];
			logprobs += logprob;
			const int byte = sherpa::ByteOf(raw.tokens_arr[i]);
			const auto character = static_cast<char>(byte);
			result.AddToken(
				byte < 0 ? std::string_view(raw.tokens_arr[i]) : std::string_view(&character, 1), -1, start, end, logprob);
		}
		if (sherpa::Trimmed(text) != sherpa::Trimmed(result.bytes)) result.text = text;
		if (!text.empty() || !result.bytes.empty()) {
			const auto count = static_cast<double>(result.token_ends.size());
			result.AddSegment(0, end_of_clip, count > 0 ? logprobs / count : kUnknown, kUnknown, kUnknown);
		}
		return result;
	}

	const std::shared_ptr<const sherpa::Library> library_;
	const SherpaLoad load_;
	/** Makes every stream: a configuration that was changed may have lost how features are made. */
	RecognizerHandle recognizer_;
	std::mutex apart_mutex_;
	RecognizerHandle apart_;  // made under apart_mutex_ when first needed, then there for good
	Gate gate_;
	std::unique_ptr<const sherpa::Punctuation, void (*)(const sherpa::Punctuation*)> punctuation_;
	SherpaInfo info_;
};

}  // namespace

Expected<std::shared_ptr<SherpaEngine>> SherpaEngine::Load(const SherpaLoad& load) {
	auto library = sherpa::Library::Load(load.library_dir);
	if (!library) return library.failure();
	return Guarded("model_load_failed", "sherpa-onnx", [&]() -> Expected<std::shared_ptr<SherpaEngine>> {
		auto engine = std::make_shared<Sherpa>(*library, load);
		if (Expected<Done> created = engine->Create(); !created) return created.failure();
		return std::shared_ptr<SherpaEngine>(std::move(engine));
	});
}

Expected<SherpaInfo> ReadSherpaVersion(const std::string& library_dir) {
	auto library = sherpa::Library::Load(library_dir);
	if (!library) return library.failure();
	return SherpaInfo{(*library)->GetVersionStr(), (*library)->GetOnnxruntimeVersionStr(), (*library)->GetGitSha1(),
		(*library)->providers, ""};
}

}  // namespace earshot
