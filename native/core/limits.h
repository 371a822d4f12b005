// Limits of numeric options: larger than any sensible value, and smaller than values on which an engine fails.
#pragma once

#include <cstddef>

namespace earshot::limits {

/** The limit of the setting `num-threads`; ggml itself cuts larger numbers to GGML_MAX_N_THREADS. */
constexpr int kMaxThreads = 1024;
/** The limit of the setting `parallel`, plus the priority slot. */
constexpr int kMaxSlots = 1025;
constexpr int kMaxBeams = 64;
/** Positions of the encoder's longest window. */
constexpr int kMaxContext = 1500;
/** With a smaller step a clip that no temperature suits would be decoded more than eleven times. */
constexpr float kMinIncrement = 0.1F;
/** Clips of a batch. */
constexpr size_t kMaxClips = 1024;
constexpr size_t kMaxLanguages = 1000;
/** Tokens of a vocabulary. */
constexpr size_t kMaxTokens = 1'000'000;
constexpr size_t kMaxHeads = 4096;
constexpr size_t kMaxEncoders = 64;
constexpr int kMaxDevices = 1024;
/** sherpa-onnx keeps numbers as float or int32_t. */
constexpr double kMaxConfigNumber = 2147483647;
constexpr double kMaxTailSeconds = 60;
/** Of speech or silence in voice activity detection, which counts samples in 32 bits. */
constexpr double kMaxSpanSeconds = 86'400;
/** Samples of a window of voice activity detection. */
constexpr int kMaxOverlap = 512;
/** Length of a recording. */
constexpr double kMaxSeconds = 1e9;

}  // namespace earshot::limits
