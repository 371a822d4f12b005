// A loaded Whisper model, shared by all its clips.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <whisper.h>

#include "core/failure.h"
#include "kernels/encoder/int_encoder.h"
#include "kernels/q8_matrix.h"
#include "platform/platform.h"
#include "whisper/engine.h"
#include "whisper/math/mel.h"
#include "whisper/upstream/hooks.h"

namespace earshot {

struct ContextFree {
	void operator()(whisper_context* context) const { whisper_free(context); }
};

class WhisperModel {
public:
	/** Loads a checked file and converts its weights according to `load`. May throw. */
	static Expected<std::unique_ptr<WhisperModel>> Load(const WhisperLoad& load);

	whisper_context* context() const { return context_.get(); }
	bool Knows(const std::string& language) const;

	const MelFilters filters;
	/** The encoder on ONNX Runtime, in ascending order of threads, or in integers; if neither, ggml's own. */
	const std::vector<std::shared_ptr<const ort::Session>> sessions;
	const std::shared_ptr<const IntEncoder> integers;
	/** Replace weights that have been released; may be null. */
	std::unique_ptr<Q8Matrices> matrices;
	const int max_threads;
	WhisperInfo info;
	/** Alignment heads: their cross-attention follows the spoken word. */
	std::vector<upstream::Head> heads;

private:
	using Context = std::unique_ptr<whisper_context, ContextFree>;

	WhisperModel(Context context, const WhisperLoad& load, std::shared_ptr<const IntEncoder> integers);
	void ReadLanguages();
	void PrepareWeights(const WhisperLoad& load);
	int BatchSize() const;
	std::string CheckHeads() const;

	/** Weights of context_ and matrices; may be null. */
	std::unique_ptr<SharedFile> shared_;
	const Context context_;
};

}  // namespace earshot
