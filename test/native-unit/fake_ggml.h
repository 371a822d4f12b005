// What ggml may find on other machines, found on every one.
#pragma once

#include <cstddef>

namespace earshot::tests {

/**
 * From now on the processor has buffers of its own kind for F16 matrices that are multiplied, as it has with AMX: what lies
 * in them is no host memory and means nothing to whoever reads it there. Before anything else of ggml.
 */
void AddForeignBuffers();
/** Bytes in such buffers now. */
size_t ForeignBytes();

/** From now on there is a GPU, `FAKE0`, which computes on the processor and whose memory is no host memory. */
void AddFakeGpu();

}  // namespace earshot::tests
