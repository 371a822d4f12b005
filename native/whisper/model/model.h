// A Whisper model in memory, read by all its clips at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <whisper.h>

#include "core/failure.h"
#include "kernels/encoder/int_encoder.h"
#include "kernels/q8_matrix.h"
#include "whisper/engine.h"
#include "whisper/math/mel.h"
#include "whisper/upstream/hooks.h"

namespace earshot {

struct ContextFree {
	void operator()(whisper_context* context) const { whisper_free(context); }
};

class WhisperModel {
public:
	/** Reads the file, which was checked, and makes of its weights what the options want. May throw. */
	static Expected<std::unique_ptr<WhisperModel>> Load(const WhisperLoad& load);

	whisper_context* context() const { return context_.get(); }
	bool Knows(const std::string& language) const;

	const MelFilters filters;
	/** The encoder on ONNX Runtime, by rising numbers of threads, or in integers; neither = ggml's own. */
	const std::vector<std::shared_ptr<const ort::Session>> sessions;
	const std::shared_ptr<const IntEncoder> integers;
	/** What stands for weights that are not there any more, or nullptr. */
	std::unique_ptr<const Q8Matrices> matrices;
	const int max_threads;
	WhisperInfo info;
	/** Those that look at the word being said. */
	std::vector<upstream::Head> heads;

private:
	using Context = std::unique_ptr<whisper_context, ContextFree>;

	WhisperModel(Context context, const WhisperLoad& load, std::shared_ptr<const IntEncoder> integers);
	void ReadLanguages();
	void PrepareWeights(bool quantise_decoder);
	int BatchSize() const;
	std::string Fault() const;

	const Context context_;
};

}  // namespace earshot
