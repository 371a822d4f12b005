#include "sherpa/streaming_config.h"

#include "sherpa/api.h"

namespace earshot::sherpa {

const Fields& StreamingFields() {
#define EARSHOT_FIELD(path) EARSHOT_CONFIG_FIELD(OnlineRecognizerConfig, path)
#define EARSHOT_MODEL(path) EARSHOT_FIELD(model_config.path)
	static const Fields fields = {
		EARSHOT_MODEL(transducer.encoder),
		EARSHOT_MODEL(transducer.decoder),
		EARSHOT_MODEL(transducer.joiner),
		EARSHOT_MODEL(paraformer.encoder),
		EARSHOT_MODEL(paraformer.decoder),
		EARSHOT_MODEL(zipformer2_ctc.model),
		EARSHOT_MODEL(nemo_ctc.model),
		EARSHOT_MODEL(tokens),
		EARSHOT_MODEL(num_threads),
		EARSHOT_MODEL(provider),
		EARSHOT_MODEL(model_type),
		EARSHOT_MODEL(modeling_unit),
		EARSHOT_MODEL(bpe_vocab),
		EARSHOT_FIELD(decoding_method),
		EARSHOT_FIELD(max_active_paths),
		EARSHOT_FIELD(enable_endpoint),
		EARSHOT_FIELD(rule1_min_trailing_silence),
		EARSHOT_FIELD(rule2_min_trailing_silence),
		EARSHOT_FIELD(rule3_min_utterance_length),
		EARSHOT_FIELD(hotwords_score),
		EARSHOT_FIELD(rule_fsts),
		EARSHOT_FIELD(rule_fars),
		EARSHOT_FIELD(blank_penalty),
	};
#undef EARSHOT_FIELD
#undef EARSHOT_MODEL
	return fields;
}

}  // namespace earshot::sherpa
