// Times of a clip's tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/clip.h"
#include "whisper/decode/segment.h"
#include "whisper/math/sound.h"
#include "whisper/upstream/hooks.h"

namespace earshot {

/** Used within the DecodeHooks of the clip. */
class Aligner {
public:
	/** `task`: the tokens that begin a window's. The other references must outlive it. */
	Aligner(upstream::DecodeHooks& hooks, const std::vector<upstream::Head>& heads, const Vocabulary& words,
		std::vector<int32_t> task, const Clip& clip)
		: hooks_(hooks), heads_(heads), words_(words), task_(std::move(task)), clip_(clip), sound_(clip.samples, clip.size) {}

	/** Times the tokens of one window: those of the segments from `first` on. The window is still encoded. `is_more`: another
	 * window follows at the end of the last segment. */
	void Align(std::vector<Segment>& segments, size_t first, bool is_more);

private:
	/** By cross-attention, from the clip's start and before `until`; empty if no alignment heads are known. */
	std::vector<TokenSpan> Attend(const std::vector<int32_t>& text, double seek, double until);
	/** By audio energy within the segment, and by likely timestamp tokens between words. */
	void Spread(Segment& segment) const;

	upstream::DecodeHooks& hooks_;
	const std::vector<upstream::Head>& heads_;
	const Vocabulary& words_;
	const std::vector<int32_t> task_;
	const Clip& clip_;
	const Sound sound_;
};

}  // namespace earshot
