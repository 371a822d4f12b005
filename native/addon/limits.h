// Limits of numeric options: larger than any sensible value, and smaller than values on which an engine fails.
#pragma once

#include <cstddef>

namespace earshot::limits {

/** The limit of the setting `num-threads`; ggml itself cuts larger numbers to GGML_MAX_N_THREADS. */
constexpr int kMostThreads = 1024;
/** The limit of the setting `parallel`, plus the priority slot. */
constexpr int kMostSlots = 1025;
constexpr int kMostBeams = 64;
/** Positions of the encoder's longest window. */
constexpr int kMostContext = 1500;
/** With a smaller step a clip that no temperature suits would be decoded more than eleven times. */
constexpr float kLeastIncrement = 0.1F;
/** Clips of a batch. */
constexpr size_t kMostClips = 1024;
constexpr size_t kMostLanguages = 1000;
/** Tokens of a vocabulary. */
constexpr size_t kMostTokens = 1'000'000;
constexpr size_t kMostHeads = 4096;
constexpr size_t kMostEncoders = 64;
constexpr int kMostDevices = 1024;
/** sherpa-onnx keeps numbers as float or int32_t. */
constexpr double kMostOfConfig = 2147483647;
constexpr double kMostTailSeconds = 60;
/** Of speech or silence in voice activity detection, which counts samples in 32 bits. */
constexpr double kMostSpanSeconds = 86'400;
/** Samples of a window of voice activity detection. */
constexpr int kMostOverlap = 512;
/** Length of a recording. */
constexpr double kMostSeconds = 1e9;

}  // namespace earshot::limits
