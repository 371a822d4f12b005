// Simulates devices and buffer types that ggml finds only on other machines.
#pragma once

#include <cstddef>

namespace earshot::tests {

/**
 * Adds a buffer type of the CPU for F16 matrices, as with AMX: not host memory, and not in plain layout. Call it before
 * anything else of ggml.
 */
void AddForeignBuffers();
/** Bytes in such buffers. */
size_t ForeignBytes();

/** Adds a GPU `FAKE0`, which computes on the CPU and whose memory is not host memory. */
void AddFakeGpu();

}  // namespace earshot::tests
