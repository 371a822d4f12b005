// How large the numbers of options may be: above any use, and below what an engine stumbles over.
#pragma once

#include <cstddef>

namespace earshot::limits {

/** As the setting `num-threads` has it; ggml itself takes GGML_MAX_N_THREADS, to which more are cut. */
constexpr int kMostThreads = 1024;
/** As many as the setting `parallel` allows, and the priority slot. */
constexpr int kMostSlots = 1025;
constexpr int kMostBeams = 64;
/** Positions of the encoder's longest window. */
constexpr int kMostContext = 1500;
/** A smaller step would make whisper.cpp list millions of temperatures, or never come to the last. */
constexpr float kLeastIncrement = 0.01F;
/** Clips of a batch. */
constexpr size_t kMostClips = 1024;
constexpr size_t kMostLanguages = 1000;
/** Of a vocabulary. */
constexpr size_t kMostTokens = 1'000'000;
constexpr size_t kMostHeads = 4096;
constexpr size_t kMostEncoders = 64;
constexpr int kMostDevices = 1024;
/** sherpa-onnx keeps numbers as float or int32_t. */
constexpr double kMostOfConfig = 2147483647;
constexpr double kMostTailSeconds = 60;
/** Of speech or silence in voice activity, which counts samples in 32 bits. */
constexpr double kMostSpanSeconds = 86'400;
/** Samples of a window of voice activity. */
constexpr int kMostOverlap = 512;
/** Of a recording. */
constexpr double kMostSeconds = 1e9;

}  // namespace earshot::limits
