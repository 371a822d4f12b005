// Options of Whisper models as engine and addon share them: each with its name in binding.d.ts and its range, so that a new
// one is written here alone. `Given` is `Options` of napi/arguments.h, which throws where a value is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/integers.h"
#include "core/limits.h"

namespace earshot {

namespace ort {
class Session;
}

struct WhisperLoad {
	std::string path;
	int slots = 1;
	int max_threads = 1;
	bool use_gpu = false;
	int gpu_device = 0;
	/** Layer and head alternating; empty = the published ones for the model's shape. */
	std::vector<int> alignment_heads;
	/** The encoder on ONNX Runtime, in ascending order of threads; empty = ggml's own. */
	std::vector<std::shared_ptr<const ort::Session>> encoders;
	/** Use our integer encoder instead. */
	std::optional<Integers> integers;
	/** Convert the decoder's matrices from f16 or f32 to Q8_0, if they are in CPU memory. */
	bool quantise_decoder = false;
	/** Folder of a file with the weights in CPU memory that other processes use too; empty = in this process's memory. */
	std::string weights_dir;

	/** All but the encoder, from WhisperLoad of binding.d.ts. */
	template <class Given>
	void Read(const Given& given) {
		path = given.Text("path");
		slots = given.Int("slots", 1, limits::kMaxSlots);
		max_threads = given.Int("maxThreads", 1, limits::kMaxThreads);
		use_gpu = given.Bool("useGpu");
		gpu_device = given.Int("gpuDevice", 0, limits::kMaxDevices);
		alignment_heads = given.Ints("alignmentHeads", 0, INT32_MAX, limits::kMaxHeads);
		quantise_decoder = given.Switch("quantiseDecoder");
		if (given.Has("weightsDir")) weights_dir = given.Text("weightsDir");
	}
};

struct WhisperOptions {
	int threads = 1;
	std::string language, prompt;
	std::vector<std::string> languages;
	std::vector<int> suppress;
	bool suppress_non_speech = false;
	bool translate = false;
	bool token_timestamps = false;
	float temperature = 0;
	float temperature_increment = 0;
	/** Below the first average log-probability a decode fails, unless its probability of no speech is above the second: then
	 * it has no text. */
	float logprob_threshold = -1, no_speech_threshold = 0.6F;
	int beam_size = 1;
	/** The beam size of each clip of a batch; empty = `beam_size` for all. */
	std::vector<int> beam_sizes;
	/** Positions of 20 ms that the encoder processes; 0 = all. */
	int audio_context = 0;
	/** The audio context of each clip of a batch; empty = `audio_context` for all. */
	std::vector<int> audio_contexts;
	/** 0 … slots - 1. Clips in the same slot share a core and are decoded together. */
	int slot = 0;
	/** Run at lower OS priority, if the clip has one thread. */
	bool background = false;

	/** From WhisperClipOptions of binding.d.ts. */
	template <class Given>
	void Read(const Given& given) {
		threads = given.Int("threads", 1, limits::kMaxThreads);
		language = given.Text("language");
		translate = given.Bool("translate");
		prompt = given.Text("prompt");
		temperature = given.Float("temperature", 0, 1);
		temperature_increment = given.Float("temperatureIncrement", 0, 1);
		if (temperature_increment > 0 && temperature_increment < limits::kMinIncrement) {
			given.Refuse("temperatureIncrement", "0, or a number from 0.1 to 1");
		}
		logprob_threshold = given.Float("logprobThreshold", -100, 0);
		no_speech_threshold = given.Float("noSpeechThreshold", 0, 1);
		token_timestamps = given.Bool("tokenTimestamps");
		beam_size = given.Int("beamSize", 1, limits::kMaxBeams);
		if (given.Has("beamSizes")) beam_sizes = given.Ints("beamSizes", 1, limits::kMaxBeams, limits::kMaxClips);
		audio_context = given.Int("audioContext", 0, limits::kMaxContext);
		if (given.Has("audioContexts")) {
			audio_contexts = given.Ints("audioContexts", 0, limits::kMaxContext, limits::kMaxClips);
		}
		if (given.Has("slot")) slot = given.Int("slot", 0, limits::kMaxSlots);
		background = given.Switch("background");
		languages = given.Texts("languages", limits::kMaxLanguages);
		suppress = given.Ints("suppress", 0, INT32_MAX, limits::kMaxTokens);
		suppress_non_speech = given.Bool("suppressNonSpeech");
	}
};

}  // namespace earshot
