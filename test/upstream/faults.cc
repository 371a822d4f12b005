// Shows faults of whisper.cpp on the library as it is, one line each: name, tab, what happened.
// usage: plain-faults FIXTURES SHAPE FOLDER — fixtures/generated, a model of make-shape.mjs, and a folder to write in
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include <whisper.h>

// ---- an allocator that can be told to fail -----------------------------------------------------------

static bool no_memory = false;
extern "C" void* aligned_alloc(size_t, size_t);
extern "C" int posix_memalign(void** out, size_t alignment, size_t size) {
	if (no_memory && size > 1 << 20) return 12;
	*out = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
	return *out == nullptr ? 12 : 0;
}

// ---- models, states, runs ----------------------------------------------------------------------------

static std::string fixtures, shape, folder;

struct Model {
	whisper_context* context;
	explicit Model(const std::string& path, whisper_context_params params = whisper_context_default_params())
		: context(whisper_init_from_file_with_params_no_state(path.c_str(), params)) {}
	~Model() { whisper_free(context); }
};

struct State {
	whisper_state* state;
	explicit State(const Model& model) : state(whisper_init_state(model.context)) {}
	~State() { whisper_free_state(state); }
};

static std::string Tones() { return fixtures + "/whisper/tones.bin"; }
static std::string Script(const char* name) { return fixtures + "/whisper/" + name + ".bin"; }

static whisper_full_params Greedy() {
	whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
	params.n_threads = 1;
	params.print_progress = params.print_realtime = params.print_timestamps = false;
	params.temperature_inc = 0;
	return params;
}

static std::vector<float> Wav(const char* name) {
	std::ifstream file(fixtures + "/audio/" + name + ".wav", std::ios::binary);
	const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
	std::vector<float> samples;
	for (size_t at = 44; at + 1 < bytes.size(); at += 2) {
		int16_t sample;
		std::memcpy(&sample, &bytes[at], 2);
		samples.push_back(static_cast<float>(sample) / 32768);
	}
	return samples;
}

static std::vector<float> Silence(double seconds) { return std::vector<float>(static_cast<size_t>(seconds * 16000)); }

static int Run(const Model& model, const State& state, const whisper_full_params& params, const std::vector<float>& samples) {
	return whisper_full_with_state(model.context, state.state, params, samples.data(), static_cast<int>(samples.size()));
}

static std::string Text(const State& state) {
	std::string text;
	for (int i = 0; i < whisper_full_n_segments_from_state(state.state); i++) {
		text += whisper_full_get_segment_text_from_state(state.state, i);
	}
	return text;
}

static void Tell(const char* fault, const std::string& what) {
	std::string line = what;
	std::replace(line.begin(), line.end(), '\n', ' ');
	std::printf("%s\t%s\n", fault, line.c_str());
	std::fflush(stdout);
}

/** In a process of its own, which the fault may end. */
static void Endanger(const char* fault, const std::function<std::string()>& work) {
	int pipes[2];
	if (pipe(pipes) != 0) return;
	const pid_t child = fork();
	if (child == 0) {
		const std::string said = work();
		if (write(pipes[1], said.data(), said.size()) < 0) _exit(9);
		_exit(0);
	}
	close(pipes[1]);
	std::string said(4096, '\0');
	const ssize_t count = read(pipes[0], said.data(), said.size());
	said.resize(static_cast<size_t>(std::max<ssize_t>(0, count)));
	close(pipes[0]);
	int status = 0;
	waitpid(child, &status, 0);
	Tell(fault, WIFSIGNALED(status) ? std::string("the process dies: ") + strsignal(WTERMSIG(status)) : said);
}

static std::string Percent(double number) {
	char text[32];
	std::snprintf(text, sizeof text, "%.6f", number);
	return text;
}

static double Milliseconds(const std::function<void()>& work) {
	const auto started = std::chrono::steady_clock::now();
	work();
	return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started).count();
}

/** A copy of the tones model with other bytes at a place. */
static std::string Edited(const char* name, const std::function<void(std::vector<char>&)>& edit) {
	std::ifstream file(Tones(), std::ios::binary);
	std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
	edit(bytes);
	const std::string path = folder + "/" + name;
	std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
	return path;
}

// ---- the faults ----------------------------------------------------------------------------------------

static void NoSpeech() {
	const Model model(Script("murmur"));
	const State state(model);
	Run(model, state, Greedy(), Silence(3));
	const bool said = whisper_full_n_segments_from_state(state.state) > 0;
	Tell("no_speech_prob", "the model is sure of no speech (1.0); read: " +
		(said ? Percent(whisper_full_get_segment_no_speech_prob_from_state(state.state, 0)) + ", and it says '" + Text(state) + "'"
			  : std::string("dropped")));
}

static void Padding() {
	const Model model(shape);
	const std::vector<float> sound = Wav("tones-abc");
	whisper_full_params few = Greedy();
	few.audio_ctx = 300;
	few.n_max_text_ctx = 0;
	const State fresh(model), used(model);
	Run(model, fresh, few, sound);
	Run(model, used, Greedy(), Wav("tones-edcba"));
	Run(model, used, few, sound);
	const float* one = whisper_get_logits_from_state(fresh.state);
	const float* other = whisper_get_logits_from_state(used.state);
	double most = 0;
	for (int i = 0; i < whisper_n_vocab(model.context); i++) most = std::max(most, std::abs(double{one[i]} - other[i]));
	Tell("attention padding", "the same clip alone and after another: logits of its last token differ by up to " + Percent(most));
}

static void Seed() {
	const Model model(Script("stuck"));
	const State state(model);
	whisper_full_params params = Greedy();
	params.temperature = 1;
	params.greedy.best_of = 1;
	Run(model, state, params, Silence(3));
	const std::string first = Text(state);
	Run(model, state, params, Silence(3));
	Tell("sampling seed", first == Text(state) ? "no difference" : "one clip twice on one state at temperature 1: " +
		std::to_string(first.size()) + " bytes of text, then " + std::to_string(Text(state).size()));
}

static void ShortMel() {
	Endanger("200 samples and less", [] {
		const long page = sysconf(_SC_PAGESIZE);
		auto* memory = static_cast<char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		mprotect(memory + page, page, PROT_NONE);
		auto* samples = reinterpret_cast<float*>(memory + page) - 50;
		const Model model(Tones());
		const State state(model);
		whisper_full_with_state(model.context, state.state, Greedy(), samples, 50);
		return std::string("nothing read out of bounds");
	});
}

static void Dimensions() {
	const std::string path = Edited("dimensions.bin", [](std::vector<char>& bytes) {
		const char name[] = "encoder.positional_embedding";
		const auto at = std::search(bytes.begin(), bytes.end(), name, name + sizeof name - 1) - bytes.begin() - 20;
		const int32_t many = 20000;
		std::memcpy(&bytes[static_cast<size_t>(at)], &many, 4);
	});
	Endanger("n_dims of a model file", [=] {
		const Model model(path);
		return std::string(model.context == nullptr ? "refused" : "loaded");
	});
}

static void FreedState() {
	Endanger("-7 frees the state", [] {
		const Model model(shape);
		auto* state = whisper_init_state(model.context);
		whisper_full_params params = Greedy();
		params.temperature = 0.5F;
		params.greedy.best_of = 8;
		const std::vector<float> samples = Silence(3);
		no_memory = true;
		const int code = whisper_full_with_state(model.context, state, params, samples.data(), static_cast<int>(samples.size()));
		no_memory = false;
		if (code != -7) return "code " + std::to_string(code);
		whisper_free_state(state);
		return std::string("-7, and no double free was noticed");
	});
}

static whisper_context_params Dtw(whisper_aheads& heads, bool flash) {
	whisper_context_params params = whisper_context_default_params();
	params.flash_attn = flash;
	params.dtw_token_timestamps = true;
	params.dtw_aheads_preset = WHISPER_AHEADS_CUSTOM;
	params.dtw_aheads = heads;
	return params;
}

static void DtwFaults() {
	const whisper_ahead head{0, 0};
	whisper_aheads heads{1, &head};
	Endanger("DTW of short audio", [&] {
		const Model model(Script("aligned"), Dtw(heads, false));
		const State state(model);
		whisper_full_params params = Greedy();
		params.duration_ms = 120;
		Run(model, state, params, Silence(0.12));
		return "'" + Text(state) + "', no assertion";
	});
	Endanger("DTW and the new-segment callback", [&] {
		const Model model(Script("aligned"), Dtw(heads, false));
		const State state(model);
		whisper_full_params params = Greedy();
		int told = 0;
		params.new_segment_callback_user_data = &told;
		params.new_segment_callback = [](whisper_context*, whisper_state*, int count, void* data) {
			*static_cast<int*>(data) += count;
		};
		Run(model, state, params, Silence(15));
		return std::to_string(whisper_full_n_segments_from_state(state.state)) + " segments made, " + std::to_string(told) + " told of";
	});
	Endanger("flash attention and DTW", [&] {
		const Model model(Script("aligned"), Dtw(heads, true));
		const State state(model);
		Run(model, state, Greedy(), Silence(8));
		int unknown = 0, all = 0;
		for (int k = 0; k < whisper_full_n_tokens_from_state(state.state, 0); k++, all++) {
			unknown += whisper_full_get_token_data_from_state(state.state, 0, k).t_dtw < 0 ? 1 : 0;
		}
		return std::to_string(unknown) + " of " + std::to_string(all) + " tokens have no time";
	});
}

static void Exceptions() {
	const std::string path = Edited("no-space.bin", [](std::vector<char>& bytes) {
		// The vocabulary begins with the single bytes, each behind its length.
		bytes[60 + 4 * 80 * 201 + 32 * 5 + 4] = 'x';
	});
	Endanger("exceptions through the C interface", [=] {
		const Model model(path);
		const State state(model);
		Run(model, state, Greedy(), Silence(2));
		return std::string("none");
	});
}

static void Abort() {
	const Model model(shape);
	const State state(model);
	struct Asked {
		std::chrono::steady_clock::time_point at;
		bool yes = false;
	} asked;
	whisper_full_params params = Greedy();
	params.encoder_begin_callback_user_data = params.abort_callback_user_data = &asked;
	params.encoder_begin_callback = [](whisper_context*, whisper_state*, void* data) {
		auto& when = *static_cast<Asked*>(data);
		when.at = std::chrono::steady_clock::now();
		when.yes = true;
		return true;
	};
	params.abort_callback = [](void* data) { return static_cast<Asked*>(data)->yes; };
	Run(model, state, params, Silence(20));
	const double late = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - asked.at).count();
	Tell("abort granularity", "asked as the encoder begins, it ends " + std::to_string(std::lround(late)) + " ms later");
}

static void Loops() {
	const Model model(Script("stuck-for-good"));
	const State state(model);
	whisper_full_params params = Greedy();
	params.temperature_inc = 0.2F;
	const double took = Milliseconds([&] { Run(model, state, params, Silence(3)); });
	Tell("repetition loops", std::to_string(Text(state).size()) + " bytes of 'la li la li …' returned after " +
		std::to_string(std::lround(took)) + " ms");
}

static void Ends() {
	const Model model(Script("stuck"));
	const State state(model);
	whisper_full_params params = Greedy();
	params.temperature = 1;
	Run(model, state, params, Silence(3));
	Tell("times beyond the audio", "3 s of audio, a segment ends at " +
		Percent(static_cast<double>(whisper_full_get_segment_t1_from_state(state.state, 0)) / 100) + " s");
}

static void Languages() {
	const Model model(Tones());
	const State state(model);
	whisper_full_params params = Greedy();
	params.language = "tlh";
	const int code = Run(model, state, params, Wav("tones-abc"));
	Tell("unknown language", "'tlh' gives code " + std::to_string(code) + " and '" + Text(state) + "'");
	params.language = "auto";
	const double given = Milliseconds([&] {
		whisper_full_params known = Greedy();
		Run(model, state, known, Wav("tones-abc"));
	});
	const double found = Milliseconds([&] { Run(model, state, params, Wav("tones-abc")); });
	Tell("language detection encodes again", "given " + std::to_string(std::lround(given)) + " ms, detected " +
		std::to_string(std::lround(found)) + " ms");
	Tell("Cantonese in models without it", "language 99 is token " + std::to_string(whisper_token_lang(model.context, 99)) +
		", the token to translate is " + std::to_string(whisper_token_translate(model.context)));
}

static void Prompts() {
	Endanger("a long word in the prompt", [] {
		const Model model(Tones());
		const State state(model);
		whisper_full_params params = Greedy();
		const std::string word(400000, 'a');
		params.initial_prompt = word.c_str();
		Run(model, state, params, Wav("tones-abc"));
		return "'" + Text(state) + "'";
	});
}

static void Samples() {
	const Model model(Tones());
	const State state(model);
	std::vector<float> samples = Wav("tones-abc");
	samples[8000] = NAN;
	const int code = Run(model, state, Greedy(), samples);
	Tell("one sample that is no number", "code " + std::to_string(code) + ", '" + Text(state) + "' for ' alpha bravo charlie'");
	const int brief = Run(model, state, Greedy(), Silence(0.09));
	Tell("less than 0.1 s", "code " + std::to_string(brief) + " as if it had been transcribed");
}

static void Times() {
	const Model model(Tones());
	const State state(model);
	whisper_full_params params = Greedy();
	params.token_timestamps = true;
	Run(model, state, params, Wav("tones-abc"));
	std::string said;
	for (int i = 0; i < whisper_full_n_segments_from_state(state.state); i++) {
		for (int k = 0; k < whisper_full_n_tokens_from_state(state.state, i); k++) {
			const auto token = whisper_full_get_token_data_from_state(state.state, i, k);
			if (token.id < whisper_token_eot(model.context)) said += Percent(static_cast<double>(token.t0) / 100).substr(0, 4) + " ";
		}
	}
	Tell("times of tokens", "spoken at 0.20, 0.80 (two tokens) and 1.40 s; told: " + said);
	Run(model, state, Greedy(), Wav("tones-e"));
	std::string bytes;
	for (const char* at = whisper_full_get_token_text_from_state(model.context, state.state, 0, 1); *at != 0; at++) {
		char hex[8];
		std::snprintf(hex, sizeof hex, "%02x ", static_cast<unsigned char>(*at));
		bytes += hex;
	}
	Tell("characters split over tokens", "the text of a token is " + bytes);
}

int main(int count, char** arguments) {
	if (count != 4) return 2;
	fixtures = arguments[1];
	shape = arguments[2];
	folder = arguments[3];
	whisper_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
	freopen("/dev/null", "w", stderr);
	NoSpeech();
	Padding();
	Seed();
	ShortMel();
	Dimensions();
	FreedState();
	DtwFaults();
	Exceptions();
	Abort();
	Loops();
	Ends();
	Languages();
	Prompts();
	Samples();
	Times();
}
