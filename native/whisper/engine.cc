// whisper.cpp: one read-only model, one state for each slot.
#include "whisper/engine.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "platform/platform.h"
#include "whisper/batcher.h"
#include "whisper/clip/states.h"
#include "whisper/clip/transcribe.h"
#include "whisper/model/model.h"

namespace earshot {

namespace {

class Whisper final : public WhisperEngine {
public:
	explicit Whisper(std::unique_ptr<WhisperModel> model) : model_(std::move(model)), states_(*model_) {}

	/** Creates a state for each slot; batches create more on demand. */
	Expected<Done> MakeSlots(int count) {
		if (Expected<Done> made = states_.Make(count); !made) return made;
		if (!states_.OnProcessor()) model_->info.max_batched_clips = 1;
		states_.AllowMore(count * (model_->info.max_batched_clips - 1));
		batchers_ = std::vector<DecodeBatcher>(static_cast<size_t>(count));
		return Done{};
	}

	const WhisperInfo& info() const override { return model_->info; }

	Expected<Done> Transcribe(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) override {
		if (!options.audio_contexts.empty() && options.audio_contexts.size() != requests.size()) {
			return Failure{"engine_failed", "a batch has as many audio contexts as clips"};
		}
		if (!options.beam_sizes.empty() && options.beam_sizes.size() != requests.size()) {
			return Failure{"engine_failed", "a batch has as many beam sizes as clips"};
		}
		if (options.slot < 0 || static_cast<size_t>(options.slot) >= batchers_.size()) {
			return Failure{"engine_failed", "there is no slot " + std::to_string(options.slot)};
		}
		return AtLowPriority(options, [&] {
			return CanBatch(options) ? TranscribeBatch(requests, options, on_result)
									 : TranscribeEach(requests, options, on_result);
		});
	}

	Expected<std::vector<float>> Encode(const Clip& clip, const Options& options, const Cancel& cancel) override {
		return states_.With<std::vector<float>>(
			[&](StateSlot& slot) { return EncodeClip(*model_, states_, slot, clip, options, cancel); });
	}

private:
	/** Frees the state before reporting the result, since the next request may need it. */
	void TranscribeOne(const std::vector<ClipRequest>& requests, size_t at, const Options& options,
		const OnResult& on_result, DecodeBatcher* batcher) {
		on_result(at, states_.With<RawResult>([&](StateSlot& slot) {
			return TranscribeClip(*model_, states_, slot, requests[at], OptionsFor(options, at), batcher);
		}));
	}

	Expected<Done> TranscribeEach(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) {
		for (size_t i = 0; i < requests.size(); i++) TranscribeOne(requests, i, options, on_result, nullptr);
		return Done{};
	}

	/** Whether clips may run on temporary threads: not with a thread pool, which is kept, nor with a prompt, whose tokeniser
	 * needs the large stack of the calling thread. */
	static bool CanUseOwnThread(const Options& options) { return options.threads == 1 && options.prompt.empty(); }

	/** On a temporary thread, since lowering a thread's priority cannot be undone. */
	static Expected<Done> AtLowPriority(const Options& options, const std::function<Expected<Done>()>& work) {
		if (!options.background || !CanUseOwnThread(options)) return work();
		Expected<Done> done = Failure{"engine_failed", "the clip was not transcribed"};
		std::thread([&] {
			LowerThreadPriority();
			done = Guarded("engine_failed", "whisper.cpp", work);
		}).join();
		return done;
	}

	/** Options of one clip of a batch. */
	static Options OptionsFor(const Options& options, size_t clip) {
		Options own = options;
		if (!options.audio_contexts.empty()) own.audio_context = options.audio_contexts[clip];
		if (!options.beam_sizes.empty()) own.beam_size = options.beam_sizes[clip];
		return own;
	}

	bool CanBatch(const Options& options) const {
		return model_->info.max_batched_clips > 1 && CanUseOwnThread(options);
	}

	Expected<Done> TranscribeBatch(
		const std::vector<ClipRequest>& requests, const Options& options, const OnResult& on_result) {
		DecodeBatcher& batcher = batchers_[static_cast<size_t>(options.slot)];
		const auto most = static_cast<size_t>(model_->info.max_batched_clips);
		Expected<Done> ran = Done{};
		for (size_t from = 0; from < requests.size() && ran; from += most) {
			ran = batcher.Run(
				std::min(most, requests.size() - from),
				[&](size_t member) { return requests[from + member].cancel->Requested(); },
				[&](size_t member) { TranscribeOne(requests, from + member, options, on_result, &batcher); });
		}
		return ran;
	}

	// Declared before the states, which refer to it.
	const std::unique_ptr<WhisperModel> model_;
	States states_;
	std::vector<DecodeBatcher> batchers_;  // one per slot
};

}  // namespace

Expected<std::shared_ptr<WhisperEngine>> WhisperEngine::Load(const WhisperLoad& load) {
	if (Expected<Done> checked = CheckWhisperFile(load.path); !checked) return checked.failure();
	return Guarded("model_load_failed", "whisper.cpp", [&]() -> Expected<std::shared_ptr<WhisperEngine>> {
		auto model = WhisperModel::Load(load);
		if (!model) return model.failure();
		auto engine = std::make_shared<Whisper>(std::move(*model));
		if (Expected<Done> made = engine->MakeSlots(load.slots); !made) return made.failure();
		return std::shared_ptr<WhisperEngine>(std::move(engine));
	});
}

std::string WhisperVersion() { return whisper_version(); }

}  // namespace earshot
