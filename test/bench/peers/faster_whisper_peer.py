"""faster-whisper in this process, asked by threads: reads one JSON line from stdin, writes one to stdout.

The task:
    model       folder with model.bin
    compute     CTranslate2's compute type
    workers     batches that run at once
    threads     of each worker
    batch       clips in one batch, joined and given with their times; 0 = one clip a call
    whole       with batch: the recording is cut by faster-whisper's own search for speech instead
    clients     threads that ask; with batch, one a worker asks for `batch` clips at a time
    options     of transcribe()
    files       WAVs, 16 kHz, mono, 16 bits, by turns
    warmUp      a WAV transcribed before the clock runs, once a worker
    requests, seconds   whichever ends first; null = no such end

The answer has the shape of `Seen` in client.mjs. Files are read before the clock runs; features are made while it does.
"""
import json
import sys
import threading
import time
import wave
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel

RATE = 16000  # Hz

Clip = np.ndarray  # float32 samples in [-1, 1]
Transcribe = Callable[[list[Clip]], list[str]]  # texts, in the order of the clips


def read(path: str) -> Clip:
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return samples.astype(np.float32) / 32768


def one_by_one(model: WhisperModel, options: dict) -> Transcribe:
    def transcribe(clips: list[Clip]) -> list[str]:
        return ["".join(segment.text for segment in model.transcribe(clip, **options)[0]) for clip in clips]

    return transcribe


def whole_in_batches(model: WhisperModel, batch: int, options: dict) -> Transcribe:
    pipeline = BatchedInferencePipeline(model)

    def transcribe(clips: list[Clip]) -> list[str]:
        return [
            "".join(segment.text for segment in pipeline.transcribe(clip, batch_size=batch, **options)[0])
            for clip in clips
        ]

    return transcribe


def clips_in_batches(model: WhisperModel, options: dict) -> Transcribe:
    """The library batches within one recording only: clips are joined, and told apart by their times."""
    pipeline = BatchedInferencePipeline(model)

    def transcribe(clips: list[Clip]) -> list[str]:
        ends = list(accumulate(len(clip) / RATE for clip in clips))
        starts = [0.0, *ends[:-1]]
        times = [{"start": start, "end": end} for start, end in zip(starts, ends)]
        joined = np.concatenate(clips)
        segments, _ = pipeline.transcribe(joined, batch_size=len(clips), clip_timestamps=times, **options)
        texts = [""] * len(clips)
        for segment in segments:
            # Segments carry rounded times.
            texts[bisect_right(starts, segment.start + 0.002) - 1] += segment.text
        return texts

    return transcribe


class Crowd:
    """Clients that ask one after another; the same rules as the crowd of client.mjs."""

    def __init__(self, clips: list[Clip], transcribe: Transcribe, requests: float, seconds: float) -> None:
        self.clips = clips
        self.transcribe = transcribe
        self.requests = requests
        self.seconds = seconds
        self.lock = threading.Lock()
        self.next = 0
        self.failures: list[str] = []
        self.texts: list[str | None] = [None] * len(clips)
        self.odd: list[str] = []
        self.latencies: list[float] = []
        self.audio_seconds = 0.0
        self.wall_seconds = 0.0

    def take(self, count: int) -> list[int]:
        with self.lock:
            if time.monotonic() - self.start >= self.seconds:
                return []
            first, self.next = self.next, int(min(self.requests, self.next + count))
            return [number % len(self.clips) for number in range(first, self.next)]

    def note(self, kinds: list[int], texts: list[str], begun: float) -> None:
        now = time.monotonic()
        with self.lock:
            self.wall_seconds = now - self.start
            for kind, text in zip(kinds, texts):
                self.latencies.append((now - begun) * 1000)
                self.audio_seconds += len(self.clips[kind]) / RATE
                if self.texts[kind] is None:
                    self.texts[kind] = text
                elif self.texts[kind] != text:
                    self.odd.append(text)

    def client(self, count: int) -> None:
        while kinds := self.take(count):
            begun = time.monotonic()
            try:
                texts = self.transcribe([self.clips[kind] for kind in kinds])
            except Exception as error:  # counted and told; the run goes on
                self.failures.append(repr(error))
                continue
            self.note(kinds, texts, begun)

    def run(self, clients: int, count: int) -> None:
        self.start = time.monotonic()
        together(clients, lambda: self.client(count))


def together(count: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    task = json.loads(sys.stdin.read())
    workers, batch, options = task["workers"], task["batch"], task["options"]
    model = WhisperModel(
        task["model"],
        device="cpu",
        compute_type=task["compute"],
        cpu_threads=task["threads"],
        num_workers=workers,
    )
    if batch == 0:
        transcribe = one_by_one(model, options)
    elif task["whole"]:
        transcribe = whole_in_batches(model, batch, options)
    else:
        transcribe = clips_in_batches(model, options)
    warm_up = read(task["warmUp"])
    together(workers, lambda: transcribe([warm_up] * max(1, batch)))
    crowd = Crowd(
        [read(path) for path in task["files"]],
        transcribe,
        task["requests"] or float("inf"),
        task["seconds"] or float("inf"),
    )
    batched = batch > 0 and not task["whole"]
    crowd.run(workers if batched else task["clients"], batch if batched else 1)
    answer = {
        "audioSeconds": crowd.audio_seconds,
        "wallSeconds": crowd.wall_seconds,
        "latencies": crowd.latencies,
        "failed": len(crowd.failures),
        "failures": crowd.failures[:5],
        "texts": crowd.texts,
        "odd": crowd.odd[:5],
    }
    print(json.dumps(answer))


main()
