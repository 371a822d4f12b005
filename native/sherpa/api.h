// sherpa-onnx's C interface, declared here for exactly one version and resolved in the library at run time. Its
// structures change within patch releases without notice, so the library must report this version. All fields and offsets
// were compared with the library; the assertions keep them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/failure.h"

namespace earshot::sherpa {

inline constexpr char kSherpaVersion[] = "1.13.8";

// Zero and nullptr always mean the library's default.

struct FeatureConfig {
	int32_t sample_rate, feature_dim;
};

struct ModelPath {
	const char* model;
};

struct Transducer {
	const char *encoder, *decoder, *joiner;
};

struct Whisper {
	const char *encoder, *decoder, *language, *task;
	int32_t tail_paddings, enable_token_timestamps, enable_segment_timestamps;
};

struct Canary {
	const char *encoder, *decoder, *src_lang, *tgt_lang;
	int32_t use_pnc;
};

struct CohereTranscribe {
	const char *encoder, *decoder, *language;
	int32_t use_punct, use_itn;
};

struct FireRedAsr {
	const char *encoder, *decoder;
};

struct Moonshine {
	const char *preprocessor, *encoder, *uncached_decoder, *cached_decoder, *merged_decoder;
};

struct LanguageModel {
	const char* model;
	float scale;
};

struct SenseVoice {
	const char *model, *language;
	int32_t use_itn;
};

struct FunAsrNano {
	const char *encoder_adaptor, *llm, *embedding, *tokenizer, *system_prompt, *user_prompt;
	int32_t max_new_tokens;
	float temperature, top_p;
	int32_t seed;
	const char* language;
	int32_t itn;
	const char* hotwords;
};

struct Qwen3Asr {
	const char *conv_frontend, *encoder, *decoder, *tokenizer;
	int32_t max_total_len, max_new_tokens;
	float temperature, top_p;
	int32_t seed;
	const char* hotwords;
};

struct HomophoneReplacer {
	const char *dict_dir, *lexicon, *rule_fsts;
};

struct ModelConfig {
	Transducer transducer;
	ModelPath paraformer, nemo_ctc;
	Whisper whisper;
	ModelPath tdnn;
	const char* tokens;
	int32_t num_threads, debug;
	const char *provider, *model_type, *modeling_unit, *bpe_vocab, *telespeech_ctc;
	SenseVoice sense_voice;
	Moonshine moonshine;
	FireRedAsr fire_red_asr;
	ModelPath dolphin, zipformer_ctc;
	Canary canary;
	ModelPath wenet_ctc, omnilingual, medasr;
	FunAsrNano funasr_nano;
	ModelPath fire_red_asr_ctc;
	Qwen3Asr qwen3_asr;
	CohereTranscribe cohere_transcribe;
};

struct RecognizerConfig {
	FeatureConfig feat_config;
	ModelConfig model_config;
	LanguageModel lm_config;
	const char* decoding_method;
	int32_t max_active_paths;
	const char* hotwords_file;
	float hotwords_score;
	const char *rule_fsts, *rule_fars;
	float blank_penalty;
	HomophoneReplacer hr;
};

struct Result {
	const char* text;
	float* timestamps;
	int32_t count;
	const char* tokens;
	const char* const* tokens_arr;
	const char *json, *lang, *emotion, *event;
	float *durations, *ys_log_probs, *segment_timestamps, *segment_durations;
	const char* segment_texts;
	const char* const* segment_texts_arr;
	int32_t segment_count;
};

struct OnlineParaformer {
	const char *encoder, *decoder;
};

struct OnlineModelConfig {
	Transducer transducer;
	OnlineParaformer paraformer;
	ModelPath zipformer2_ctc;
	const char* tokens;
	int32_t num_threads;
	const char* provider;
	int32_t debug;
	const char *model_type, *modeling_unit, *bpe_vocab, *tokens_buf;
	int32_t tokens_buf_size;
	ModelPath nemo_ctc, t_one_ctc;
};

struct CtcFstDecoder {
	const char* graph;
	int32_t max_active;
};

struct OnlineRecognizerConfig {
	FeatureConfig feat_config;
	OnlineModelConfig model_config;
	const char* decoding_method;
	int32_t max_active_paths, enable_endpoint;
	float rule1_min_trailing_silence, rule2_min_trailing_silence, rule3_min_utterance_length;
	const char* hotwords_file;
	float hotwords_score;
	CtcFstDecoder ctc_fst_decoder_config;
	const char *rule_fsts, *rule_fars;
	float blank_penalty;
	const char* hotwords_buf;
	int32_t hotwords_buf_size;
	HomophoneReplacer hr;
};

struct OnlineResult {
	const char *text, *tokens;
	const char* const* tokens_arr;
	float* timestamps;
	int32_t count;
	const char* json;
};

struct SileroVad {
	const char* model;
	float threshold, min_silence_duration, min_speech_duration;
	int32_t window_size;
	float max_speech_duration;
};

struct VadConfig {
	SileroVad silero_vad;
	int32_t sample_rate, num_threads;
	const char* provider;
	int32_t debug;
	SileroVad ten_vad;
};

struct PunctuationConfig {
	const char* ct_transformer;
	int32_t num_threads, debug;
	const char* provider;
};

struct SpeechSegment {
	int32_t start;
	float* samples;
	int32_t n;
};

/** A config with zeros behind it, in case the library has a field that is not declared here. */
template <class Config>
struct Padded {
	Config config{};
	char beyond[512] = {};
};

#define EARSHOT_AT(type, field, offset) static_assert(offsetof(type, field) == (offset))
static_assert(sizeof(void*) == 8);
static_assert(sizeof(FeatureConfig) == 8);
static_assert(sizeof(Transducer) == 24);
static_assert(sizeof(Whisper) == 48);
EARSHOT_AT(Whisper, language, 16);
EARSHOT_AT(Whisper, task, 24);
EARSHOT_AT(Whisper, tail_paddings, 32);
EARSHOT_AT(Whisper, enable_token_timestamps, 36);
EARSHOT_AT(Whisper, enable_segment_timestamps, 40);
static_assert(sizeof(Canary) == 40);
EARSHOT_AT(Canary, src_lang, 16);
EARSHOT_AT(Canary, tgt_lang, 24);
EARSHOT_AT(Canary, use_pnc, 32);
static_assert(sizeof(CohereTranscribe) == 32);
EARSHOT_AT(CohereTranscribe, language, 16);
EARSHOT_AT(CohereTranscribe, use_punct, 24);
EARSHOT_AT(CohereTranscribe, use_itn, 28);
static_assert(sizeof(FireRedAsr) == 16);
static_assert(sizeof(Moonshine) == 40);
EARSHOT_AT(Moonshine, encoder, 8);
EARSHOT_AT(Moonshine, uncached_decoder, 16);
EARSHOT_AT(Moonshine, cached_decoder, 24);
EARSHOT_AT(Moonshine, merged_decoder, 32);
static_assert(sizeof(SenseVoice) == 24);
EARSHOT_AT(SenseVoice, language, 8);
EARSHOT_AT(SenseVoice, use_itn, 16);
static_assert(sizeof(FunAsrNano) == 88);
EARSHOT_AT(FunAsrNano, tokenizer, 24);
EARSHOT_AT(FunAsrNano, user_prompt, 40);
EARSHOT_AT(FunAsrNano, max_new_tokens, 48);
EARSHOT_AT(FunAsrNano, temperature, 52);
EARSHOT_AT(FunAsrNano, top_p, 56);
EARSHOT_AT(FunAsrNano, seed, 60);
EARSHOT_AT(FunAsrNano, language, 64);
EARSHOT_AT(FunAsrNano, itn, 72);
EARSHOT_AT(FunAsrNano, hotwords, 80);
static_assert(sizeof(Qwen3Asr) == 64);
EARSHOT_AT(Qwen3Asr, tokenizer, 24);
EARSHOT_AT(Qwen3Asr, max_total_len, 32);
EARSHOT_AT(Qwen3Asr, max_new_tokens, 36);
EARSHOT_AT(Qwen3Asr, temperature, 40);
EARSHOT_AT(Qwen3Asr, top_p, 44);
EARSHOT_AT(Qwen3Asr, seed, 48);
EARSHOT_AT(Qwen3Asr, hotwords, 56);
static_assert(sizeof(LanguageModel) == 16);
static_assert(sizeof(HomophoneReplacer) == 24);
static_assert(sizeof(ModelConfig) == 504);
EARSHOT_AT(ModelConfig, paraformer, 24);
EARSHOT_AT(ModelConfig, nemo_ctc, 32);
EARSHOT_AT(ModelConfig, whisper, 40);
EARSHOT_AT(ModelConfig, tdnn, 88);
EARSHOT_AT(ModelConfig, tokens, 96);
EARSHOT_AT(ModelConfig, num_threads, 104);
EARSHOT_AT(ModelConfig, debug, 108);
EARSHOT_AT(ModelConfig, provider, 112);
EARSHOT_AT(ModelConfig, model_type, 120);
EARSHOT_AT(ModelConfig, modeling_unit, 128);
EARSHOT_AT(ModelConfig, bpe_vocab, 136);
EARSHOT_AT(ModelConfig, telespeech_ctc, 144);
EARSHOT_AT(ModelConfig, sense_voice, 152);
EARSHOT_AT(ModelConfig, moonshine, 176);
EARSHOT_AT(ModelConfig, fire_red_asr, 216);
EARSHOT_AT(ModelConfig, dolphin, 232);
EARSHOT_AT(ModelConfig, zipformer_ctc, 240);
EARSHOT_AT(ModelConfig, canary, 248);
EARSHOT_AT(ModelConfig, wenet_ctc, 288);
EARSHOT_AT(ModelConfig, omnilingual, 296);
EARSHOT_AT(ModelConfig, medasr, 304);
EARSHOT_AT(ModelConfig, funasr_nano, 312);
EARSHOT_AT(ModelConfig, fire_red_asr_ctc, 400);
EARSHOT_AT(ModelConfig, qwen3_asr, 408);
EARSHOT_AT(ModelConfig, cohere_transcribe, 472);
static_assert(sizeof(RecognizerConfig) == 608);
EARSHOT_AT(RecognizerConfig, model_config, 8);
EARSHOT_AT(RecognizerConfig, lm_config, 512);
EARSHOT_AT(RecognizerConfig, decoding_method, 528);
EARSHOT_AT(RecognizerConfig, max_active_paths, 536);
EARSHOT_AT(RecognizerConfig, hotwords_file, 544);
EARSHOT_AT(RecognizerConfig, hotwords_score, 552);
EARSHOT_AT(RecognizerConfig, rule_fsts, 560);
EARSHOT_AT(RecognizerConfig, rule_fars, 568);
EARSHOT_AT(RecognizerConfig, blank_penalty, 576);
EARSHOT_AT(RecognizerConfig, hr, 584);
static_assert(sizeof(Result) == 128);
EARSHOT_AT(Result, timestamps, 8);
EARSHOT_AT(Result, count, 16);
EARSHOT_AT(Result, tokens, 24);
EARSHOT_AT(Result, tokens_arr, 32);
EARSHOT_AT(Result, json, 40);
EARSHOT_AT(Result, lang, 48);
EARSHOT_AT(Result, emotion, 56);
EARSHOT_AT(Result, event, 64);
EARSHOT_AT(Result, durations, 72);
EARSHOT_AT(Result, ys_log_probs, 80);
EARSHOT_AT(Result, segment_timestamps, 88);
EARSHOT_AT(Result, segment_durations, 96);
EARSHOT_AT(Result, segment_texts, 104);
EARSHOT_AT(Result, segment_texts_arr, 112);
EARSHOT_AT(Result, segment_count, 120);
static_assert(sizeof(OnlineModelConfig) == 136);
EARSHOT_AT(OnlineModelConfig, paraformer, 24);
EARSHOT_AT(OnlineModelConfig, zipformer2_ctc, 40);
EARSHOT_AT(OnlineModelConfig, tokens, 48);
EARSHOT_AT(OnlineModelConfig, num_threads, 56);
EARSHOT_AT(OnlineModelConfig, provider, 64);
EARSHOT_AT(OnlineModelConfig, debug, 72);
EARSHOT_AT(OnlineModelConfig, model_type, 80);
EARSHOT_AT(OnlineModelConfig, modeling_unit, 88);
EARSHOT_AT(OnlineModelConfig, bpe_vocab, 96);
EARSHOT_AT(OnlineModelConfig, tokens_buf, 104);
EARSHOT_AT(OnlineModelConfig, tokens_buf_size, 112);
EARSHOT_AT(OnlineModelConfig, nemo_ctc, 120);
EARSHOT_AT(OnlineModelConfig, t_one_ctc, 128);
static_assert(sizeof(OnlineRecognizerConfig) == 272);
EARSHOT_AT(OnlineRecognizerConfig, model_config, 8);
EARSHOT_AT(OnlineRecognizerConfig, decoding_method, 144);
EARSHOT_AT(OnlineRecognizerConfig, max_active_paths, 152);
EARSHOT_AT(OnlineRecognizerConfig, enable_endpoint, 156);
EARSHOT_AT(OnlineRecognizerConfig, rule1_min_trailing_silence, 160);
EARSHOT_AT(OnlineRecognizerConfig, rule2_min_trailing_silence, 164);
EARSHOT_AT(OnlineRecognizerConfig, rule3_min_utterance_length, 168);
EARSHOT_AT(OnlineRecognizerConfig, hotwords_file, 176);
EARSHOT_AT(OnlineRecognizerConfig, hotwords_score, 184);
EARSHOT_AT(OnlineRecognizerConfig, ctc_fst_decoder_config, 192);
EARSHOT_AT(OnlineRecognizerConfig, rule_fsts, 208);
EARSHOT_AT(OnlineRecognizerConfig, rule_fars, 216);
EARSHOT_AT(OnlineRecognizerConfig, blank_penalty, 224);
EARSHOT_AT(OnlineRecognizerConfig, hotwords_buf, 232);
EARSHOT_AT(OnlineRecognizerConfig, hotwords_buf_size, 240);
EARSHOT_AT(OnlineRecognizerConfig, hr, 248);
static_assert(sizeof(OnlineResult) == 48);
EARSHOT_AT(OnlineResult, tokens_arr, 16);
EARSHOT_AT(OnlineResult, timestamps, 24);
EARSHOT_AT(OnlineResult, count, 32);
EARSHOT_AT(OnlineResult, json, 40);
static_assert(sizeof(SileroVad) == 32);
EARSHOT_AT(SileroVad, threshold, 8);
EARSHOT_AT(SileroVad, min_silence_duration, 12);
EARSHOT_AT(SileroVad, min_speech_duration, 16);
EARSHOT_AT(SileroVad, window_size, 20);
EARSHOT_AT(SileroVad, max_speech_duration, 24);
static_assert(sizeof(VadConfig) == 88);
EARSHOT_AT(VadConfig, sample_rate, 32);
EARSHOT_AT(VadConfig, num_threads, 36);
EARSHOT_AT(VadConfig, provider, 40);
EARSHOT_AT(VadConfig, debug, 48);
EARSHOT_AT(VadConfig, ten_vad, 56);
static_assert(sizeof(PunctuationConfig) == 24);
EARSHOT_AT(PunctuationConfig, provider, 16);
static_assert(sizeof(SpeechSegment) == 24);
EARSHOT_AT(SpeechSegment, samples, 8);
EARSHOT_AT(SpeechSegment, n, 16);
#undef EARSHOT_AT

struct Recognizer;
struct Stream;
struct OnlineRecognizer;
struct OnlineStream;
struct Detector;
struct Punctuation;

/**
 * The functions of a loaded library. Loaded once for each folder and never unloaded: ONNX Runtime keeps threads
 * and statics that outlive its sessions.
 */
struct Library {
	/** Fails with engine_missing unless the library exists and has exactly kSherpaVersion. Any thread. */
	static Expected<std::shared_ptr<const Library>> Load(const std::string& folder);

	/** Execution providers of the ONNX Runtime in this folder: `CPU`, `CUDA`, `CoreML`, … */
	std::vector<std::string> providers;

	const char* (*GetVersionStr)();
	const char* (*GetGitSha1)();
	const char* (*GetOnnxruntimeVersionStr)();

	const Recognizer* (*CreateOfflineRecognizer)(const RecognizerConfig*);
	void (*DestroyOfflineRecognizer)(const Recognizer*);
	void (*OfflineRecognizerSetConfig)(const Recognizer*, const RecognizerConfig*);
	const Stream* (*CreateOfflineStream)(const Recognizer*);
	const Stream* (*CreateOfflineStreamWithHotwords)(const Recognizer*, const char*);
	void (*DestroyOfflineStream)(const Stream*);
	void (*OfflineStreamSetOption)(const Stream*, const char*, const char*);
	void (*AcceptWaveformOffline)(const Stream*, int32_t, const float*, int32_t);
	void (*DecodeOfflineStream)(const Recognizer*, const Stream*);
	void (*DecodeMultipleOfflineStreams)(const Recognizer*, const Stream**, int32_t);
	const Result* (*GetOfflineStreamResult)(const Stream*);
	void (*DestroyOfflineRecognizerResult)(const Result*);

	const OnlineRecognizer* (*CreateOnlineRecognizer)(const OnlineRecognizerConfig*);
	void (*DestroyOnlineRecognizer)(const OnlineRecognizer*);
	const OnlineStream* (*CreateOnlineStream)(const OnlineRecognizer*);
	const OnlineStream* (*CreateOnlineStreamWithHotwords)(const OnlineRecognizer*, const char*);
	void (*DestroyOnlineStream)(const OnlineStream*);
	void (*OnlineStreamSetOption)(const OnlineStream*, const char*, const char*);
	void (*OnlineStreamAcceptWaveform)(const OnlineStream*, int32_t, const float*, int32_t);
	void (*OnlineStreamInputFinished)(const OnlineStream*);
	int32_t (*IsOnlineStreamReady)(const OnlineRecognizer*, const OnlineStream*);
	void (*DecodeMultipleOnlineStreams)(const OnlineRecognizer*, const OnlineStream**, int32_t);
	const OnlineResult* (*GetOnlineStreamResult)(const OnlineRecognizer*, const OnlineStream*);
	void (*DestroyOnlineRecognizerResult)(const OnlineResult*);
	int32_t (*OnlineStreamIsEndpoint)(const OnlineRecognizer*, const OnlineStream*);
	void (*OnlineStreamReset)(const OnlineRecognizer*, const OnlineStream*);

	const Punctuation* (*CreateOfflinePunctuation)(const PunctuationConfig*);
	void (*DestroyOfflinePunctuation)(const Punctuation*);
	const char* (*OfflinePunctuationAddPunct)(const Punctuation*, const char*);
	void (*OfflinePunctuationFreeText)(const char*);

	const Detector* (*CreateVoiceActivityDetector)(const VadConfig*, float);
	void (*DestroyVoiceActivityDetector)(const Detector*);
	void (*VoiceActivityDetectorAcceptWaveform)(const Detector*, const float*, int32_t);
	int32_t (*VoiceActivityDetectorDetected)(const Detector*);
	int32_t (*VoiceActivityDetectorEmpty)(const Detector*);
	void (*VoiceActivityDetectorPop)(const Detector*);
	const SpeechSegment* (*VoiceActivityDetectorFront)(const Detector*);
	void (*DestroySpeechSegment)(const SpeechSegment*);
	void (*VoiceActivityDetectorReset)(const Detector*);
	void (*VoiceActivityDetectorFlush)(const Detector*);
};

/**
 * What the library prints to stderr on this thread during the object's lifetime, which is how it reports failures. It is
 * still printed. Empty except with glibc.
 */
class CapturedStderr {
public:
	CapturedStderr();
	~CapturedStderr();
	CapturedStderr(const CapturedStderr&) = delete;
	CapturedStderr& operator=(const CapturedStderr&) = delete;
	/** On one line, without source locations. */
	std::string Message() const;
	bool Has(std::string_view part) const { return text_.find(part) != std::string::npos; }

private:
	std::string text_;
	std::string* const before_;
};

}  // namespace earshot::sherpa
