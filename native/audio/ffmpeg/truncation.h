// Detects truncated files: from a broken upload, a full disk, or a recorder that was switched off.
#pragma once

#include <cstddef>
#include <cstdint>

#include "audio/reader.h"

namespace earshot::audio {

/** Whether a Matroska or WebM file ends inside an element. False if its elements have no sizes. */
bool MatroskaIsTruncated(const Reader& reader);

/** Whether an Ogg file ends inside a page. */
bool OggIsTruncated(const Reader& reader);

/** Whether a packet of MPEG audio, layer II or III, is shorter than its header declares. */
bool IsShortMpegFrame(const uint8_t* packet, size_t size);

}  // namespace earshot::audio
