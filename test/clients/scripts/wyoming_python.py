"""wyoming, as Home Assistant uses it: asks what there is, then says a recording. Prints a JSON list of texts."""

import asyncio
import json
import sys

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioChunkConverter, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

_, model, file, uri = sys.argv[1:5]
pcm = open(file, "rb").read()
# Home Assistant's rate.
converter = AudioChunkConverter(rate=16000, width=2, channels=1)


async def answer(client, kind):
    event = await client.read_event()
    assert event is not None and kind.is_type(event.type), event
    return kind.from_event(event)


async def check_info(client):
    await client.write_event(Describe().event())
    (program,) = (await answer(client, Info)).asr
    assert program.installed and program.supports_transcript_streaming and program.requires_external_vad, program
    known = {each.name: each for each in program.models}
    assert known[model].installed and known[model].languages == ["en"], known[model]
    await client.write_event(Ping(text="there?").event())
    assert (await answer(client, Pong)).text == "there?"


async def say(client, rate):
    await client.write_event(AudioStart(rate=rate, width=2, channels=1).event())
    for at in range(0, len(pcm), 4800):
        chunk = AudioChunk(rate=24000, width=2, channels=1, audio=pcm[at : at + 4800])
        await client.write_event((chunk if rate == 24000 else converter.convert(chunk)).event())
    await client.write_event(AudioStop().event())


async def last_text(request, rate):
    """As Home Assistant: the first transcript is the text, whatever comes before it."""
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(request.event())
        await say(client, rate)
        while True:
            event = await client.read_event()
            assert event is not None and event.type != "error", event
            if Transcript.is_type(event.type):
                return Transcript.from_event(event).text


async def streamed_text(client):
    await client.write_event(Transcribe(name=model, transcript_names=["Printing"]).event())
    await say(client, 24000)
    await answer(client, TranscriptStart)
    text = ""
    while True:
        event = await client.read_event()
        assert event is not None and event.type != "error", event
        if Transcript.is_type(event.type):
            assert Transcript.from_event(event).text == text, (event, text)
            await answer(client, TranscriptStop)
            return text
        text += TranscriptChunk.from_event(event).text


async def main():
    async with AsyncClient.from_uri(uri) as client:
        await check_info(client)
        streamed = [await streamed_text(client), await streamed_text(client)]
    return [*streamed, await last_text(Transcribe(language="en"), 16000), await last_text(Transcribe(), 24000)]


print(json.dumps(asyncio.run(main())))
