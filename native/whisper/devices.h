// ggml's devices: the processor, or a GPU.
#pragma once

#include <ggml-backend.h>

namespace earshot {

/**
 * Whether the device can add two numbers. If its driver or kind does not fit this build, the process may crash instead:
 * call it in a process of its own.
 */
bool CanCalculate(ggml_backend_dev_t device);

}  // namespace earshot
