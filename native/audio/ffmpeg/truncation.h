// Whether a file goes on where its bytes end: a broken upload, a full disk, a recorder that was switched off.
#pragma once

#include <cstddef>
#include <cstdint>

#include "audio/reader.h"

namespace earshot::audio {

/** Whether a Matroska or WebM file ends inside an element. False where it does not say how long its elements are. */
bool MatroskaIsTruncated(const Reader& reader);

/** Whether an Ogg file ends inside a page. */
bool OggIsTruncated(const Reader& reader);

/** Whether a packet of MPEG audio, layer II or III, is shorter than its header says. */
bool IsShortMpegFrame(const uint8_t* packet, size_t size);

}  // namespace earshot::audio
