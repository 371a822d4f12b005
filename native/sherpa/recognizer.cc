// Offline recognizers, which transcribe whole clips.
#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sherpa/api.h"
#include "sherpa/collect.h"
#include "sherpa/config.h"
#include "sherpa/engine.h"
#include "sherpa/gate.h"
#include "sherpa/recognizer_config.h"

namespace earshot {

namespace {

using sherpa::RecognizerConfig;

/** Shorter clips are padded with silence: the library needs a frame or two. */
constexpr size_t kMinSamples = kSampleRate / 10;

class Sherpa final : public SherpaEngine {
public:
	Sherpa(std::shared_ptr<const sherpa::Library> library, SherpaLoad load)
		: library_(std::move(library)),
		  load_(std::move(load)),
		  recognizer_(nullptr, library_->DestroyOfflineRecognizer),
		  apart_(nullptr, library_->DestroyOfflineRecognizer),
		  punctuation_(nullptr, library_->DestroyOfflinePunctuation) {}

	Expected<Done> Create() {
		const sherpa::CapturedStderr stderr_text;
		auto recognizer = CreateRecognizer();
		if (!recognizer) return recognizer.failure();
		recognizer_ = std::move(*recognizer);
		info_ = {library_->GetVersionStr(), library_->GetOnnxruntimeVersionStr(), library_->GetGitSha1(),
			library_->providers, stderr_text.Has("allback to cpu") ? stderr_text.Message() : ""};
		if (load_.punctuation.empty()) return Done{};
		sherpa::Padded<sherpa::PunctuationConfig> padded;
		padded.config.ct_transformer = load_.punctuation.c_str();
		padded.config.num_threads = 1;
		padded.config.provider = "cpu";
		punctuation_.reset(library_->CreateOfflinePunctuation(&padded.config));
		if (!punctuation_) {
			return Failure{"model_load_failed", "sherpa-onnx refused " + load_.punctuation + ": " + stderr_text.Message()};
		}
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
		const sherpa::CapturedStderr stderr_text;
		sherpa::Padded<RecognizerConfig> padded;
		Expected<Done> filled = sherpa::Fill(&padded.config, sherpa::RecognizerFields(), load_.config);
		if (!filled) return filled.failure();
		RecognizerHandle recognizer(
			library_->CreateOfflineRecognizer(&padded.config), library_->DestroyOfflineRecognizer);
		if (!recognizer) return Failure{"model_load_failed", "sherpa-onnx refused the model: " + stderr_text.Message()};
		return recognizer;
	}

	bool TakesHotwords() const {
		const auto method = load_.config.find("decoding_method");
		return load_.config.contains("model_config.transducer.encoder") && method != load_.config.end() &&
			method->second == decltype(method->second)("modified_beam_search");
	}

	/** Decodes with the configuration that these clips need. */
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
			applied = sherpa::Fill(&padded.config, sherpa::RecognizerFields(), config);
			if (applied) library_->OfflineRecognizerSetConfig(recognizer, &padded.config);
		});
		struct Leave {
			sherpa::Gate& gate;
			~Leave() { gate.Leave(); }
		} const leave{gate_};
		if (applied) decode(recognizer);
		return applied;
	}

	Expected<Done> Run(const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) {
		// With other models the library ends the process.
		if (!options.hotwords.empty() && !TakesHotwords()) {
			return Failure{"engine_failed", "hotwords need a transducer with decoding_method modified_beam_search"};
		}
		const sherpa::CapturedStderr stderr_text;
		std::vector<StreamHandle> streams;
		std::vector<const sherpa::Stream*> views;
		std::vector<size_t> decoded;  // index of each stream's request
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
			if (!stream) return Failure{"engine_failed", "sherpa-onnx created no stream: " + stderr_text.Message()};
			if (!options.hotwords.empty() &&
				(stderr_text.Has("Encode hotwords failed") || stderr_text.Has("Cannot find ID"))) {
				return Failure{"engine_failed", "the hotwords cannot be encoded: " + stderr_text.Message()};
			}
			for (const auto& [key, value] : options.stream) {
				library_->OfflineStreamSetOption(stream.get(), key.c_str(), value.c_str());
			}
			const float* samples = clip.samples;
			size_t size = clip.size;
			if (size < kMinSamples) {
				padded.assign(kMinSamples, 0.0F);
				std::copy_n(clip.samples, clip.size, padded.begin());
				samples = padded.data();
				size = kMinSamples;
			}
			library_->AcceptWaveformOffline(stream.get(), kSampleRate, samples, static_cast<int32_t>(size));
			views.push_back(stream.get());
			streams.push_back(std::move(stream));
			decoded.push_back(i);
		}
		const auto is_cancelled = [&](size_t request) { return requests[request].cancel->Requested(); };
		if (std::all_of(decoded.begin(), decoded.end(), is_cancelled)) {
			return Cancelled();
		}
		if (Expected<Done> decoded = Decode(views, options); !decoded) return decoded.failure();
		for (size_t i = 0; i < decoded.size(); i++) {
			const ClipRequest& request = requests[decoded[i]];
			// The library cannot be interrupted, but results of cancelled clips need not be collected.
			if (request.cancel->Requested()) on_result(decoded[i], Cancelled());
			else on_result(decoded[i], Result(views[i], request.clip, stderr_text));
		}
		return Done{};
	}

	Expected<RawResult> Result(
		const sherpa::Stream* stream, const Clip& clip, const sherpa::CapturedStderr& stderr_text) {
		const std::unique_ptr<const sherpa::Result, void (*)(const sherpa::Result*)> raw(
			library_->GetOfflineStreamResult(stream), library_->DestroyOfflineRecognizerResult);
		if (!raw) return Failure{"engine_failed", "sherpa-onnx returned no result: " + stderr_text.Message()};
		if (Failed(*raw, stderr_text)) {
			return Failure{"engine_failed", "sherpa-onnx failed on the clip: " + stderr_text.Message()};
		}
		RawResult result = sherpa::Collect(*raw, clip);
		Punctuate(result);
		return result;
	}

	/**
	 * Several families catch their exceptions, print them to stderr and leave the result empty. For silence it is empty
	 * too, but then nothing is printed, and SenseVoice reports a language.
	 */
	bool Failed(const sherpa::Result& raw, const sherpa::CapturedStderr& stderr_text) const {
		const auto empty = [](const char* text) { return text == nullptr || *text == '\0'; };
		if (!empty(raw.text)) return false;
		if (load_.config.contains("model_config.sense_voice.model") && empty(raw.lang)) return true;
		for (const char* sign : {"xception", "Invalid language", "Please specify", "mismatch", "not supported"}) {
			if (stderr_text.Has(sign)) return true;
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

	const std::shared_ptr<const sherpa::Library> library_;
	const SherpaLoad load_;
	/** Creates all streams: changing a configuration may corrupt how features are computed. */
	RecognizerHandle recognizer_;
	std::mutex apart_mutex_;
	RecognizerHandle apart_;  // created on first use, guarded by apart_mutex_; never replaced
	sherpa::Gate gate_;
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
