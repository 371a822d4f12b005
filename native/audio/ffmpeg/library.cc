// FFmpeg's libraries: which recordings they decode, their versions and their log.
#include <cstdarg>
#include <memory>
#include <mutex>
#include <string>

extern "C" {
#include <libswresample/swresample.h>
}

#include "audio/decoder.h"
#include "audio/decoding.h"
#include "audio/ffmpeg/decoding.h"
#include "audio/wav.h"
#include "core/log.h"

namespace earshot {

namespace audio {

namespace {

/** A WAV with one channel and all the samples that its header declares; or a big-endian one, whose samples FFmpeg reads
 * as little-endian. */
bool IsForUs(const WavFile& wav, const Reader& reader) {
	if (wav.big_endian) return true;
	return wav.format.channels == 1 && wav.promised > 0 && wav.data + wav.promised <= reader.size();
}

}  // namespace

/** FFmpeg searches a WAV's PCM for other codecs, since it may contain DTS in two channels, which costs many times more
 * than reading plain PCM. */
Expected<std::unique_ptr<Decoding>> OpenDecoding(
	const Reader& reader, const AudioSource& source, double max_seconds, const Cancel& cancel) {
	const auto wav = ReadWav(reader);
	if (wav && IsLinear(*wav) && IsForUs(*wav, reader)) return OpenWav(reader, *wav, source.channel, max_seconds);
	if (wav && wav->big_endian) {
		return Unsupported("it is a big-endian WAV (RIFX), of which only PCM and float samples are read");
	}
	return FfmpegDecoding::Open(reader, source, max_seconds, cancel);
}

}  // namespace audio

namespace {

void LogFfmpeg(void* context, int level, const char* form, va_list arguments) {
	// A broken upload is not an error of the server, so these lines are only for debugging.
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
