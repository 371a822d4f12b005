// Weights in a file that the processes of a machine map, so that they are in memory and in its caches once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/q8_matrix.h"
#include "platform/platform.h"
#include "whisper/upstream/weights.h"

namespace earshot {

/**
 * From now on `weights` and `matrices` (may be null) are read from a file in `folder`, which is written if it is missing.
 * Releases their own memory. Returns the file, which must outlive them; null after a warning if there can be none, and then
 * nothing has changed. No other thread may read the weights meanwhile.
 */
std::unique_ptr<SharedFile> ShareWeights(
	const std::string& folder, const std::vector<upstream::Weight>& weights, Q8Matrices* matrices);

}  // namespace earshot
