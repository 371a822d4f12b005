#include "audio/ffmpeg/truncation.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace earshot::audio {

namespace {

/** A file of hours has at most a million elements; reading stops after this many. */
constexpr int kMaxElements = 4'000'000;
constexpr uint32_t kSegment = 0x18538067, kCluster = 0x1F43B675;

/** Buffered access to bytes by position. */
class Window {
public:
	explicit Window(const Reader& reader) : reader_(reader) {}

	/** Up to `count` bytes, 16 at most, from `position` on; fewer only at the end of the file. */
	size_t Look(int64_t position, const uint8_t*& bytes, int64_t count) {
		if (position < start_ || position + count > start_ + held_) {
			start_ = position;
			held_ = std::max<int64_t>(0, reader_.Read(position, bytes_.data(), static_cast<int64_t>(bytes_.size())));
		}
		bytes = bytes_.data() + (position - start_);
		return static_cast<size_t>(std::clamp<int64_t>(start_ + held_ - position, 0, count));
	}

private:
	const Reader& reader_;
	std::vector<uint8_t> bytes_ = std::vector<uint8_t>(64 << 10);
	int64_t start_ = 0, held_ = 0;
};

struct Element {
	uint32_t id = 0;
	/** Length of id and size. */
	int64_t head = 0;
	/** -1: unknown. */
	int64_t size = -1;
};

/** Length of an EBML number, from its first byte; more than 8 is invalid. */
int NumberBytes(uint8_t first) {
	int count = 1;
	for (uint8_t bit = 0x80; count <= 8 && (first & bit) == 0; bit = static_cast<uint8_t>(bit >> 1)) count++;
	return count;
}

enum class Found { kElement, kNone, kTruncated };

Found ReadElement(Window& window, int64_t at, Element& element) {
	const uint8_t* bytes = nullptr;
	const size_t held = window.Look(at, bytes, 12);
	if (held == 0) return Found::kNone;
	const auto id_bytes = static_cast<size_t>(NumberBytes(bytes[0]));
	if (id_bytes > 4) return Found::kNone;
	if (held <= id_bytes) return Found::kTruncated;
	const auto size_bytes = static_cast<size_t>(NumberBytes(bytes[id_bytes]));
	if (size_bytes > 8) return Found::kNone;
	if (held < id_bytes + size_bytes) return Found::kTruncated;
	element.id = 0;
	for (size_t i = 0; i < id_bytes; i++) element.id = element.id << 8 | bytes[i];
	uint64_t size = bytes[id_bytes] & (0xFFU >> size_bytes);
	bool unknown = size == (0xFFU >> size_bytes);
	for (size_t i = 1; i < size_bytes; i++) {
		size = size << 8 | bytes[id_bytes + i];
		unknown = unknown && bytes[id_bytes + i] == 0xFF;
	}
	element.size = unknown ? -1 : static_cast<int64_t>(size);
	element.head = static_cast<int64_t>(id_bytes + size_bytes);
	return Found::kElement;
}

}  // namespace

bool MatroskaIsTruncated(const Reader& reader) {
	Window window(reader);
	int64_t at = 0;
	for (int count = 0; count < kMaxElements; count++) {
		Element element;
		const Found found = ReadElement(window, at, element);
		if (found != Found::kElement) return found == Found::kTruncated;
		at += element.head;
		// What follows a segment is not part of the recording.
		if (element.id == kSegment && element.size >= 0) return element.size > reader.size() - at;
		// Live recordings omit the sizes of segment and clusters, but elements in clusters have sizes.
		if (element.size < 0 && element.id != kSegment && element.id != kCluster) return false;
		if (element.size > reader.size() - at) return true;
		at += std::max<int64_t>(0, element.size);
	}
	return false;
}

bool OggIsTruncated(const Reader& reader) {
	// Enough for the longest page and a truncated one after it.
	constexpr int64_t kMaxPageBytes = 27 + 255 + 255 * 255, kHead = 27;
	std::vector<uint8_t> tail(static_cast<size_t>(std::min(reader.size(), 2 * kMaxPageBytes)));
	const auto size = static_cast<int64_t>(tail.size());
	if (reader.Read(reader.size() - size, tail.data(), size) != size) return false;
	for (int64_t at = size - 4; at >= 0; at--) {
		if (std::memcmp(tail.data() + at, "OggS", 4) != 0) continue;
		if (size - at < kHead) return true;
		const int64_t segments = tail[static_cast<size_t>(at + kHead - 1)];
		if (size - at < kHead + segments) return true;
		int64_t length = kHead + segments;
		for (int64_t i = 0; i < segments; i++) length += tail[static_cast<size_t>(at + kHead + i)];
		return length > size - at;
	}
	return false;
}

bool IsShortMpegFrame(const uint8_t* packet, size_t size) {
	/** kbit/s of MPEG-1 layer II, MPEG-1 layer III, and MPEG-2 of both. */
	static constexpr int kBitRates[3][15] = {
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	};
	static constexpr int kRates[3] = {44100, 48000, 32000};
	if (size < 4 || packet[0] != 0xFF || (packet[1] & 0xE0) != 0xE0) return false;
	const int version = packet[1] >> 3 & 3, layer = 4 - (packet[1] >> 1 & 3);
	const int bit_rate = packet[2] >> 4, rate = packet[2] >> 2 & 3;
	const bool known = version != 1 && (layer == 2 || layer == 3) && bit_rate > 0 && bit_rate < 15 && rate < 3;
	if (!known) return false;
	const int hertz = kRates[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
	const int kilobits = kBitRates[version == 3 ? layer - 2 : 2][bit_rate];
	const int slots = layer == 3 && version != 3 ? 72 : 144;
	return size < static_cast<size_t>(slots * 1000 * kilobits / hertz + (packet[2] >> 1 & 1));
}

}  // namespace earshot::audio
