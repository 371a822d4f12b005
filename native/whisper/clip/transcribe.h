// Transcribes one clip.
#pragma once

#include <vector>

#include "core/clip.h"
#include "core/failure.h"
#include "core/result.h"
#include "whisper/batcher.h"
#include "whisper/clip/states.h"
#include "whisper/engine.h"
#include "whisper/model/model.h"

namespace earshot {

/** `slot`: one of `states`. `batcher`: the one that the clip is a member of, or nullptr. May throw. */
Expected<RawResult> TranscribeClip(const WhisperModel& model, const States& states, StateSlot& slot,
	const ClipRequest& request, const WhisperOptions& options, DecodeBatcher* batcher);

/** The encoder's output for the clip's first window. May throw. */
Expected<std::vector<float>> EncodeClip(const WhisperModel& model, const States& states, StateSlot& slot,
	const Clip& clip, const WhisperOptions& options, const Cancel& cancel);

}  // namespace earshot
