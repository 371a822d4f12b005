// Streaming recognizers: partial results of live audio, and whole clips.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sherpa/api.h"
#include "sherpa/config.h"
#include "sherpa/engine.h"
#include "sherpa/steps.h"
#include "sherpa/streaming_config.h"

namespace earshot {

namespace {

using sherpa::OnlineRecognizerConfig;

using RecognizerHandle = std::unique_ptr<const sherpa::OnlineRecognizer, void (*)(const sherpa::OnlineRecognizer*)>;
using StreamHandle = std::unique_ptr<const sherpa::OnlineStream, void (*)(const sherpa::OnlineStream*)>;

class Streaming final : public StreamingEngine, public std::enable_shared_from_this<Streaming> {
public:
	Streaming(std::shared_ptr<const sherpa::Library> library, StreamingLoad load)
		: library_(std::move(library)), load_(std::move(load)), recognizer_(nullptr, library_->DestroyOnlineRecognizer),
		  steps_(load_.batch, load_.threads, [this](const auto& members) { return DecodeTogether(members); }) {}

	Expected<Done> Create() {
		const sherpa::CapturedStderr stderr_text;
		sherpa::Padded<OnlineRecognizerConfig> padded;
		if (Expected<Done> filled = sherpa::Fill(&padded.config, sherpa::StreamingFields(), load_.config); !filled) {
			return filled.failure();
		}
		padded.config.feat_config = {kSampleRate, kFeatureBins};
		recognizer_.reset(library_->CreateOnlineRecognizer(&padded.config));
		if (!recognizer_) return Failure{"model_load_failed", "sherpa-onnx refused the model: " + stderr_text.Message()};
		info_ = {library_->GetVersionStr(), library_->GetOnnxruntimeVersionStr(), library_->GetGitSha1(),
			library_->providers, stderr_text.Has("allback to cpu") ? stderr_text.Message() : ""};
		return Done{};
	}

	const SherpaInfo& info() const override { return info_; }

	Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) override {
		return Guarded("engine_failed", "sherpa-onnx", [&]() -> Expected<Done> {
			std::vector<std::pair<size_t, StreamHandle>> running;
			for (size_t i = 0; i < requests.size(); i++) {
				auto stream = MakeStream(options);
				if (!stream) return stream.failure();
				if (auto accepted = Accept(stream->get(), requests[i].clip, true); !accepted) return accepted.failure();
				running.emplace_back(i, std::move(*stream));
			}
			while (!running.empty()) {
				std::vector<const sherpa::OnlineStream*> ready;
				std::erase_if(running, [&](const auto& each) {
					const auto& [request, stream] = each;
					const bool cancelled = requests[request].cancel->Requested();
					if (!cancelled && IsReady(stream.get())) {
						ready.push_back(stream.get());
						return false;
					}
					if (cancelled) on_result(request, Cancelled());
					else on_result(request, Result(stream.get(), requests[request].clip.Seconds()));
					return true;
				});
				if (!ready.empty()) Decode(ready);
			}
			return Done{};
		});
	}

	std::shared_ptr<SpeechStream> Stream(const StreamOptions& options) override;

	/** The steps of the live streams. */
	sherpa::Steps& steps() { return steps_; }

	Expected<StreamHandle> MakeStream(const StreamOptions& options) const {
		const std::string& hotwords = options.hotwords;
		const sherpa::CapturedStderr stderr_text;
		// With other models the library ends the process.
		if (!hotwords.empty() && !(IsTransducer() && SearchesBeams())) {
			return Failure{"engine_failed", "hotwords need a transducer with decoding_method modified_beam_search"};
		}
		StreamHandle stream(hotwords.empty()
				? library_->CreateOnlineStream(recognizer_.get())
				: library_->CreateOnlineStreamWithHotwords(recognizer_.get(), hotwords.c_str()),
			library_->DestroyOnlineStream);
		if (!stream) return Failure{"engine_failed", "sherpa-onnx created no stream: " + stderr_text.Message()};
		if (!hotwords.empty() && (stderr_text.Has("Encode hotwords failed") || stderr_text.Has("Cannot find ID"))) {
			return Failure{"engine_failed", "the hotwords cannot be encoded: " + stderr_text.Message()};
		}
		for (const auto& [key, value] : options.stream) {
			library_->OnlineStreamSetOption(stream.get(), key.c_str(), value.c_str());
		}
		return stream;
	}

	/**
	 * `last`: ends the stream, with silence appended so that the model decodes what it has buffered. `silent_seconds`: of
	 * silence that it ends with already.
	 */
	Expected<Done> Accept(
		const sherpa::OnlineStream* stream, Clip samples, bool last, double silent_seconds = 0) const {
		if (samples.size > INT32_MAX) return Failure{"engine_failed", "the clip is too long for sherpa-onnx"};
		if (samples.size > 0) {
			library_->OnlineStreamAcceptWaveform(
				stream, kSampleRate, samples.samples, static_cast<int32_t>(samples.size));
		}
		if (!last) return Done{};
		const double tail_seconds = std::max(load_.tail_seconds - silent_seconds, 0.0);
		const std::vector<float> tail(static_cast<size_t>(tail_seconds * kSampleRate));
		library_->OnlineStreamAcceptWaveform(stream, kSampleRate, tail.data(), static_cast<int32_t>(tail.size()));
		library_->OnlineStreamInputFinished(stream);
		return Done{};
	}

	/** Whether it has a complete chunk. */
	bool IsReady(const sherpa::OnlineStream* stream) const {
		return library_->IsOnlineStreamReady(recognizer_.get(), stream) != 0;
	}

	/** Decodes one chunk of each stream. */
	void Decode(std::vector<const sherpa::OnlineStream*>& ready) const {
		library_->DecodeMultipleOnlineStreams(recognizer_.get(), ready.data(), static_cast<int32_t>(ready.size()));
	}

	/** Times are from the start of the stream, at most `seconds`. */
	Expected<RawResult> Result(const sherpa::OnlineStream* stream, double seconds) const {
		const sherpa::CapturedStderr stderr_text;
		const std::unique_ptr<const sherpa::OnlineResult, void (*)(const sherpa::OnlineResult*)> raw(
			library_->GetOnlineStreamResult(recognizer_.get(), stream), library_->DestroyOnlineRecognizerResult);
		if (!raw) return Failure{"engine_failed", "sherpa-onnx returned no result: " + stderr_text.Message()};
		RawResult result;
		const double since_reset = StartTime(raw->json);
		for (int32_t i = 0; raw->tokens_arr != nullptr && i < raw->count; i++) {
			if (raw->tokens_arr[i] == nullptr) continue;
			const float start = raw->timestamps == nullptr
				? kUnknown
				: static_cast<float>(std::clamp(since_reset + raw->timestamps[i], 0.0, seconds));
			const int byte = sherpa::ByteOf(raw->tokens_arr[i]);
			const auto character = static_cast<char>(byte);
			result.AddToken(byte < 0 ? std::string_view(raw->tokens_arr[i]) : std::string_view(&character, 1), -1, start,
				kUnknown, kUnknown);
		}
		const std::string_view text = raw->text == nullptr ? "" : raw->text;
		if (sherpa::Trimmed(text) != sherpa::Trimmed(result.bytes)) result.text = text;
		if (!text.empty() || !result.bytes.empty()) {
			result.AddSegment(std::min(since_reset, seconds), seconds, kUnknown, kUnknown, kUnknown);
		}
		return result;
	}

	bool IsEndpoint(const sherpa::OnlineStream* stream) const {
		return library_->OnlineStreamIsEndpoint(recognizer_.get(), stream) != 0;
	}

	/**
	 * At an endpoint. Returns whether it ends an utterance, which silence does not.
	 *
	 * Where there was only silence, a greedy transducer is left as it is: the library would keep the cached output of its
	 * decoder network but clear the tokens that it was computed from, and which of the two the next chunk uses depends on
	 * what the other streams of its batch say (online-transducer-decoder.cc, `operator=`;
	 * online-transducer-greedy-search-decoder.cc). Others have to start anew: a beam search adds up the probability of a
	 * token over all of the silence until it is emitted, and a Paraformer that of its next one.
	 */
	bool Reset(const sherpa::OnlineStream* stream, const RawResult& result) const {
		const bool is_utterance = !result.segments.empty();
		if (is_utterance || !IsTransducer() || SearchesBeams()) library_->OnlineStreamReset(recognizer_.get(), stream);
		return is_utterance;
	}

private:
	/** One chunk of each; the members are all of type Feeding. */
	Expected<Done> DecodeTogether(const std::vector<sherpa::Member*>& members) const;

	/** Of all streaming models except T-One. */
	static constexpr int32_t kFeatureBins = 80;

	/** Start of the current utterance, which the library reports only in its JSON. */
	static double StartTime(const char* json) {
		constexpr char kKey[] = "\"start_time\":";
		const char* found = json == nullptr ? nullptr : std::strstr(json, kKey);
		return found == nullptr ? 0 : std::max(0.0, std::strtod(found + sizeof kKey - 1, nullptr));
	}

	bool IsTransducer() const { return load_.config.contains("model_config.transducer.encoder"); }

	bool SearchesBeams() const {
		const auto method = load_.config.find("decoding_method");
		return method != load_.config.end() && method->second == decltype(method->second)("modified_beam_search");
	}

	const std::shared_ptr<const sherpa::Library> library_;
	const StreamingLoad load_;
	RecognizerHandle recognizer_;
	SherpaInfo info_;
	sherpa::Steps steps_;
};

/** A stream of the library, created with its first audio. One thread at a time. */
struct Live {
	const std::shared_ptr<Streaming> engine;
	const StreamOptions options;
	StreamHandle stream{nullptr, nullptr};
	double seconds = 0;
};

/** A running call of Speech::Feed; each step decodes a chunk. */
class Feeding final : public sherpa::Member {
public:
	Feeding(std::shared_ptr<Live> live, StreamPiece piece, std::shared_ptr<const Cancel> cancel,
		SpeechStream::OnPartial on_partial)
		: live_(std::move(live)), piece_(std::move(piece)), cancel_(std::move(cancel)),
		  on_partial_(std::move(on_partial)) {}

	const sherpa::OnlineStream* stream() const { return live_->stream.get(); }

	bool Cancelled() const override { return cancel_->Requested(); }

	Expected<bool> Prepare() override {
		return Guarded("engine_failed", "sherpa-onnx", [&]() -> Expected<bool> {
			if (!live_->stream) {
				auto made = live_->engine->MakeStream(live_->options);
				if (!made) return made.failure();
				live_->stream = std::move(*made);
			}
			if (auto ended = EndUtterance(); !ended) return ended.failure();
			while (!live_->engine->IsReady(stream())) {
				if (all_accepted_) return false;
				if (auto accepted = AcceptMore(); !accepted) return accepted.failure();
			}
			return true;
		});
	}

	void Finish(Expected<Done> ended) override {
		on_partial_(Guarded("engine_failed", "sherpa-onnx", [&]() -> Expected<PartialResult> {
			if (!ended) return ended.failure();
			const Streaming& engine = *live_->engine;
			live_->seconds += Clip{piece_.samples.data(), piece_.samples.size()}.Seconds();
			auto result = engine.Result(stream(), live_->seconds);
			if (!result) return result.failure();
			// The next utterance starts empty.
			const bool endpoint = engine.IsEndpoint(stream()) && engine.Reset(stream(), *result);
			return PartialResult{std::move(ended_), std::move(*result), piece_.last || endpoint};
		}));
	}

private:
	/** After each chunk, so that utterances end at the same audio however much of it a piece holds. */
	Expected<Done> EndUtterance() {
		const Streaming& engine = *live_->engine;
		if ((all_accepted_ && !engine.IsReady(stream())) || !engine.IsEndpoint(stream())) return Done{};
		auto result = engine.Result(stream(), live_->seconds + static_cast<double>(accepted_) / kSampleRate);
		if (!result) return result.failure();
		if (engine.Reset(stream(), *result)) ended_.push_back(std::move(*result));
		return Done{};
	}

	/** Audio is accepted in pieces of this length, so that other streams do not wait while features of minutes are
	 * computed. */
	static constexpr size_t kMaxAccepted = kSampleRate;

	Expected<Done> AcceptMore() {
		const size_t count = std::min(piece_.samples.size() - accepted_, kMaxAccepted);
		const Clip some{piece_.samples.data() + accepted_, count};
		accepted_ += count;
		all_accepted_ = accepted_ == piece_.samples.size();
		return live_->engine->Accept(stream(), some, piece_.last && all_accepted_, piece_.silent_seconds);
	}

	const std::shared_ptr<Live> live_;
	const StreamPiece piece_;
	const std::shared_ptr<const Cancel> cancel_;
	const SpeechStream::OnPartial on_partial_;
	size_t accepted_ = 0;
	bool all_accepted_ = false;
	std::vector<RawResult> ended_;
};

Expected<Done> Streaming::DecodeTogether(const std::vector<sherpa::Member*>& members) const {
	return Guarded("engine_failed", "sherpa-onnx", [&]() -> Expected<Done> {
		std::vector<const sherpa::OnlineStream*> ready;
		for (sherpa::Member* member : members) ready.push_back(static_cast<Feeding*>(member)->stream());
		Decode(ready);
		return Done{};
	});
}

class Speech final : public SpeechStream {
public:
	Speech(std::shared_ptr<Streaming> engine, StreamOptions options)
		: live_(std::make_shared<Live>(Live{std::move(engine), std::move(options)})) {}

	bool Feed(StreamPiece piece, std::shared_ptr<const Cancel> cancel, OnPartial on_partial) override {
		return live_->engine->steps().Add(
			std::make_unique<Feeding>(live_, std::move(piece), std::move(cancel), std::move(on_partial)));
	}

	void DecodeAll() override { live_->engine->steps().Work(); }

private:
	const std::shared_ptr<Live> live_;
};

std::shared_ptr<SpeechStream> Streaming::Stream(const StreamOptions& options) {
	return std::make_shared<Speech>(shared_from_this(), options);
}

}  // namespace

Expected<std::shared_ptr<StreamingEngine>> StreamingEngine::Load(const StreamingLoad& load) {
	auto library = sherpa::Library::Load(load.library_dir);
	if (!library) return library.failure();
	return Guarded("model_load_failed", "sherpa-onnx", [&]() -> Expected<std::shared_ptr<StreamingEngine>> {
		auto engine = std::make_shared<Streaming>(*library, load);
		if (Expected<Done> created = engine->Create(); !created) return created.failure();
		return std::shared_ptr<StreamingEngine>(std::move(engine));
	});
}

}  // namespace earshot
