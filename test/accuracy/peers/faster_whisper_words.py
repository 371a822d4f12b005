"""faster-whisper on many recordings. Reads one JSON line from stdin, writes one to stdout."""

import json
import sys
import time

import numpy
from faster_whisper import WhisperModel

task = json.loads(sys.stdin.read())
model = WhisperModel(task["folder"], device="cpu", compute_type=task["type"], cpu_threads=task["threads"])
results = []
start = time.perf_counter()
for recording in task["recordings"]:
    samples = numpy.fromfile(recording["path"], dtype=numpy.float32)
    segments, _ = model.transcribe(
        samples,
        language="en",
        beam_size=task["beam"],
        vad_filter=task["vad"],
        word_timestamps=task["words"],
    )
    segments = list(segments)
    results.append(
        {
            "id": recording["id"],
            "text": "".join(segment.text for segment in segments),
            "fellBack": any(segment.temperature > 0 for segment in segments),
            "words": [
                {"text": word.word, "start": word.start}
                for segment in segments
                for word in segment.words or []
            ],
        }
    )
print(json.dumps({"elapsed": time.perf_counter() - start, "results": results}))
