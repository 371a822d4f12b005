"""openai-agents: StreamedAudioInput, once with speech and once with silence. Prints a JSON list of the texts of each."""

import asyncio
import json
import sys

import numpy
from agents.voice import OpenAISTTModel, STTModelSettings, StreamedAudioInput
from openai import AsyncOpenAI

url, model, file = sys.argv[1:4]
samples = numpy.frombuffer(open(file, "rb").read(), dtype=numpy.int16)


async def texts(audio):
    source = StreamedAudioInput()
    stt = OpenAISTTModel(model, AsyncOpenAI(base_url=url, api_key="none"))
    session = await stt.create_session(source, STTModelSettings(), False, False)

    async def send():
        for at in range(0, len(audio), 2400):
            await source.add_audio(audio[at : at + 2400])
        await source.add_audio(None)

    sending = asyncio.create_task(send())
    found = []
    async for text in session.transcribe_turns():
        found.append(text)
    await sending
    await session.close()
    return found


async def main():
    print(json.dumps([await texts(samples), await texts(numpy.zeros(24000, dtype=numpy.int16))]))


asyncio.run(main())
