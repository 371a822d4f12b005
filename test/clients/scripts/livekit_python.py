"""livekit-plugins-openai: a recording whose end the server finds, and one whose end the plugin finds. Prints a JSON list of
texts."""

import asyncio
import json
import sys

from livekit.agents import inference, stt, utils
from livekit.plugins import openai
from livekit.rtc import AudioFrame

url, model, file = sys.argv[1:4]
# The silence at the end has to be longer than that which ends the turn.
pcm = open(file, "rb").read() + bytes(2 * 24000 * 4)
Kind = stt.SpeechEventType


async def text(**options):
    async with utils.http_context.open():
        speech = openai.STT(base_url=url, api_key="none", use_realtime=True, **options)
        stream = speech.stream()
        for at in range(0, len(pcm), 4800):
            piece = pcm[at : at + 4800]
            stream.push_frame(AudioFrame(piece, 24000, 1, len(piece) // 2))
        kinds = set()
        async for event in stream:
            kinds.add(event.type)
            if event.type == Kind.FINAL_TRANSCRIPT:
                assert {Kind.START_OF_SPEECH, Kind.END_OF_SPEECH} <= kinds, kinds
                await stream.aclose()
                await speech.aclose()
                return event.alternatives[0].text
        raise SystemExit("the stream ended without a text")


async def main():
    by_server = {"type": "server_vad", "silence_duration_ms": 2000}
    # With OpenAI's live names the plugin detects turns itself, and commits.
    by_plugin = inference.VAD(min_silence_duration=2)
    return [
        await text(model=model, turn_detection=by_server),
        await text(model="gpt-live-transcribe", vad=by_plugin),
    ]


print(json.dumps(asyncio.run(asyncio.wait_for(main(), 120))))
