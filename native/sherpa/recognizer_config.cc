#include "sherpa/recognizer_config.h"

#include <cstddef>
#include <type_traits>
#include <utility>

#include "sherpa/api.h"

namespace earshot::sherpa {

const Fields& RecognizerFields() {
#define EARSHOT_FIELD(path) \
	{#path, {offsetof(RecognizerConfig, path), \
		KindOf<std::remove_cvref_t<decltype(std::declval<RecognizerConfig>().path)>>()}}
#define EARSHOT_MODEL(path) EARSHOT_FIELD(model_config.path)
	static const Fields fields = {
		EARSHOT_FIELD(feat_config.sample_rate),
		EARSHOT_FIELD(feat_config.feature_dim),
		EARSHOT_MODEL(transducer.encoder),
		EARSHOT_MODEL(transducer.decoder),
		EARSHOT_MODEL(transducer.joiner),
		EARSHOT_MODEL(paraformer.model),
		EARSHOT_MODEL(nemo_ctc.model),
		EARSHOT_MODEL(whisper.encoder),
		EARSHOT_MODEL(whisper.decoder),
		EARSHOT_MODEL(whisper.language),
		EARSHOT_MODEL(whisper.task),
		EARSHOT_MODEL(whisper.tail_paddings),
		EARSHOT_MODEL(whisper.enable_token_timestamps),
		EARSHOT_MODEL(whisper.enable_segment_timestamps),
		EARSHOT_MODEL(tdnn.model),
		EARSHOT_MODEL(tokens),
		EARSHOT_MODEL(num_threads),
		EARSHOT_MODEL(debug),
		EARSHOT_MODEL(provider),
		EARSHOT_MODEL(model_type),
		EARSHOT_MODEL(modeling_unit),
		EARSHOT_MODEL(bpe_vocab),
		EARSHOT_MODEL(telespeech_ctc),
		EARSHOT_MODEL(sense_voice.model),
		EARSHOT_MODEL(sense_voice.language),
		EARSHOT_MODEL(sense_voice.use_itn),
		EARSHOT_MODEL(moonshine.preprocessor),
		EARSHOT_MODEL(moonshine.encoder),
		EARSHOT_MODEL(moonshine.uncached_decoder),
		EARSHOT_MODEL(moonshine.cached_decoder),
		EARSHOT_MODEL(moonshine.merged_decoder),
		EARSHOT_MODEL(fire_red_asr.encoder),
		EARSHOT_MODEL(fire_red_asr.decoder),
		EARSHOT_MODEL(dolphin.model),
		EARSHOT_MODEL(zipformer_ctc.model),
		EARSHOT_MODEL(canary.encoder),
		EARSHOT_MODEL(canary.decoder),
		EARSHOT_MODEL(canary.src_lang),
		EARSHOT_MODEL(canary.tgt_lang),
		EARSHOT_MODEL(canary.use_pnc),
		EARSHOT_MODEL(wenet_ctc.model),
		EARSHOT_MODEL(omnilingual.model),
		EARSHOT_MODEL(medasr.model),
		EARSHOT_MODEL(funasr_nano.encoder_adaptor),
		EARSHOT_MODEL(funasr_nano.llm),
		EARSHOT_MODEL(funasr_nano.embedding),
		EARSHOT_MODEL(funasr_nano.tokenizer),
		EARSHOT_MODEL(funasr_nano.system_prompt),
		EARSHOT_MODEL(funasr_nano.user_prompt),
		EARSHOT_MODEL(funasr_nano.max_new_tokens),
		EARSHOT_MODEL(funasr_nano.temperature),
		EARSHOT_MODEL(funasr_nano.top_p),
		EARSHOT_MODEL(funasr_nano.seed),
		EARSHOT_MODEL(funasr_nano.language),
		EARSHOT_MODEL(funasr_nano.itn),
		EARSHOT_MODEL(funasr_nano.hotwords),
		EARSHOT_MODEL(fire_red_asr_ctc.model),
		EARSHOT_MODEL(qwen3_asr.conv_frontend),
		EARSHOT_MODEL(qwen3_asr.encoder),
		EARSHOT_MODEL(qwen3_asr.decoder),
		EARSHOT_MODEL(qwen3_asr.tokenizer),
		EARSHOT_MODEL(qwen3_asr.max_total_len),
		EARSHOT_MODEL(qwen3_asr.max_new_tokens),
		EARSHOT_MODEL(qwen3_asr.temperature),
		EARSHOT_MODEL(qwen3_asr.top_p),
		EARSHOT_MODEL(qwen3_asr.seed),
		EARSHOT_MODEL(qwen3_asr.hotwords),
		EARSHOT_MODEL(cohere_transcribe.encoder),
		EARSHOT_MODEL(cohere_transcribe.decoder),
		EARSHOT_MODEL(cohere_transcribe.language),
		EARSHOT_MODEL(cohere_transcribe.use_punct),
		EARSHOT_MODEL(cohere_transcribe.use_itn),
		EARSHOT_FIELD(lm_config.model),
		EARSHOT_FIELD(lm_config.scale),
		EARSHOT_FIELD(decoding_method),
		EARSHOT_FIELD(max_active_paths),
		EARSHOT_FIELD(hotwords_file),
		EARSHOT_FIELD(hotwords_score),
		EARSHOT_FIELD(rule_fsts),
		EARSHOT_FIELD(rule_fars),
		EARSHOT_FIELD(blank_penalty),
		EARSHOT_FIELD(hr.lexicon),
		EARSHOT_FIELD(hr.rule_fsts),
	};
#undef EARSHOT_FIELD
#undef EARSHOT_MODEL
	return fields;
}

}  // namespace earshot::sherpa
