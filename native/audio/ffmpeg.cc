// FFmpeg's libraries: which recordings go to them, their versions and what they log.
#include <cstdarg>
#include <memory>
#include <mutex>
#include <string>

#include "audio/decoder.h"
#include "audio/decoding.h"
#include "audio/ffmpeg_decoding.h"
#include "audio/wav.h"
#include "core/log.h"

namespace earshot {

namespace audio {

namespace {

/** A name for probing alone, nothing is opened by it: with junk before the first frame the extension decides. */
std::string ProbeName(const std::string& path) {
	const size_t dot = path.rfind('.');
	const bool extension = dot != std::string::npos && path.size() - dot <= 8 && path.find('/', dot) == std::string::npos;
	return extension ? "recording" + path.substr(dot) : "";
}

/** A WAV that holds one channel, and all the samples that its header promises. */
bool IsPlain(const WavFile& wav, const Reader& reader) {
	return wav.format.channels == 1 && wav.promised > 0 && wav.data + wav.promised <= reader.size();
}

}  // namespace

/** FFmpeg looks for other codecs in what a WAV calls PCM, since DTS hides there, in two channels: that costs many
 * times what reading a plain one does. */
Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel& cancel) {
	const auto wav = ReadWav(reader);
	if (wav && IsPlain(*wav, reader)) return OpenWav(reader, *wav, max_seconds);
	return FfmpegDecoding::Open(reader, ProbeName(source.path), max_seconds, cancel);
}

}  // namespace audio

namespace {

void LogFfmpeg(void* context, int level, const char* form, va_list arguments) {
	// A stranger's broken file is no error of this server: all of it is for the curious.
	if (level > AV_LOG_WARNING) return;
	char line[1024];
	int print_prefix = 1;
	const int length = av_log_format_line2(context, level, form, arguments, line, sizeof line, &print_prefix);
	if (length > 0) Log(LogLevel::kDebug, std::string("ffmpeg: ") + line);
}

std::string VersionText(unsigned version) {
	return std::to_string(AV_VERSION_MAJOR(version)) + '.' + std::to_string(AV_VERSION_MINOR(version)) + '.' +
		std::to_string(AV_VERSION_MICRO(version));
}

}  // namespace

AudioVersions GetAudioVersions() {
	return {VersionText(avformat_version()), VersionText(avcodec_version()), VersionText(swresample_version()),
		avformat_license()};
}

void InitAudio() {
	static std::once_flag once;
	std::call_once(once, [] { av_log_set_callback(LogFfmpeg); });
}

}  // namespace earshot
