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

/** A name used only for probing: if junk precedes the first frame, the extension decides the format. */
std::string ProbeName(const std::string& path) {
	const size_t dot = path.rfind('.');
	const bool extension = dot != std::string::npos && path.size() - dot <= 8 && path.find('/', dot) == std::string::npos;
	return extension ? "recording" + path.substr(dot) : "";
}

/** A WAV of one channel that is as long as its header declares. */
bool IsPlain(const WavFile& wav, const Reader& reader) {
	return wav.format.channels == 1 && wav.declared > 0 && wav.data + wav.declared <= reader.size();
}

}  // namespace

/** Mono WAV does not go through FFmpeg, which searches PCM for hidden DTS (which has two channels or more): that takes
 * many times as long as reading the samples. */
Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel& cancel) {
	const auto wav = ReadWav(reader);
	if (wav && IsPlain(*wav, reader)) return OpenWav(reader, *wav, max_seconds);
	return FfmpegDecoding::Open(reader, ProbeName(source.path), max_seconds, cancel);
}

}  // namespace audio

namespace {

void LogFfmpeg(void* context, int level, const char* form, va_list arguments) {
	// A user's broken file is no error of this server, so everything is logged at debug level.
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
