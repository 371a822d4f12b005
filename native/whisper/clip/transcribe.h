// One clip, from samples to text.
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

/** `slot`: one of `states`. `together`: the batcher that the clip is a member of, or nullptr. May throw. */
Expected<RawResult> TranscribeClip(const WhisperModel& model, const States& states, StateSlot& slot,
	const ClipRequest& request, const WhisperOptions& options, DecodeBatcher* together);

/** What the encoder makes of the clip's first window. May throw. */
Expected<std::vector<float>> EncodeClip(const WhisperModel& model, const States& states, StateSlot& slot,
	const Clip& clip, const WhisperOptions& options, const Cancel& cancel);

}  // namespace earshot
