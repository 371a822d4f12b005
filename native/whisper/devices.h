// What ggml calls a device: the processor, or a GPU.
#pragma once

#include <ggml-backend.h>

namespace earshot {

/**
 * Whether the device adds two numbers. A driver too old for this build's code, or a GPU that it has no code for, may end
 * the process instead: for trials in a process of their own.
 */
bool CanCalculate(ggml_backend_dev_t device);

}  // namespace earshot
