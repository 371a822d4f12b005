"""pipecat: OpenAIRealtimeSTTService in a pipeline, its turn ended by the pipeline, which commits, then by the server. Prints
a JSON list of texts."""

import asyncio
import json
import sys

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat.workers.runner import WorkerRunner

url, model, file = sys.argv[1:4]
pcm = open(file, "rb").read()
logger.remove()


def frames(audio):
    for at in range(0, len(audio), 4800):
        yield InputAudioRawFrame(audio=audio[at : at + 4800], sample_rate=24000, num_channels=1)


async def text(turn_detection, *said):
    service = OpenAIRealtimeSTTService(
        api_key="none",
        base_url=url.replace("http", "ws", 1) + "/realtime",
        turn_detection=turn_detection,
        settings=OpenAIRealtimeSTTService.Settings(model=model),
    )
    worker = PipelineWorker(Pipeline([service]), params=PipelineParams(audio_in_sample_rate=24000))
    worker.set_reached_downstream_filter((TranscriptionFrame,))
    found, wrong = [], []

    @worker.event_handler("on_pipeline_started")
    async def on_started(_, __):
        await worker.queue_frames(said)

    @worker.event_handler("on_frame_reached_downstream")
    async def on_text(_, frame):
        found.append(frame.text)
        await worker.queue_frame(EndFrame())

    @worker.event_handler("on_pipeline_error")
    async def on_error(_, frame):
        wrong.append(frame.error)
        await worker.cancel()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    if wrong:
        raise SystemExit(wrong[0])
    return " ".join(found)


async def main():
    begins, ends = VADUserStartedSpeakingFrame(), VADUserStoppedSpeakingFrame()
    by_server = {"type": "server_vad", "silence_duration_ms": 2000}
    # The silence at the end has to be longer than that which ends the turn.
    silence = bytes(2 * 24000 * 4)
    return [
        await text(False, begins, *frames(pcm), ends),
        await text(by_server, *frames(pcm + silence)),
    ]


print(json.dumps(asyncio.run(asyncio.wait_for(main(), 120))))
