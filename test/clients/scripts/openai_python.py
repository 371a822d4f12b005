"""openai-python, sync and async: a recording in one commit. Prints a JSON list of texts."""

import asyncio
import base64
import json
import sys

from openai import AsyncOpenAI, OpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

url, model, file = sys.argv[1:4]
pcm = open(file, "rb").read()
session = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": model, "language": "en"},
            "turn_detection": None,
        }
    },
}
COMPLETED = "conversation.item.input_audio_transcription.completed"
DELTA = "conversation.item.input_audio_transcription.delta"


def pieces():
    for at in range(0, len(pcm), 4800):
        yield base64.b64encode(pcm[at : at + 4800]).decode()


def text_of(events):
    deltas = ""
    for event in events:
        if event.type == "error":
            raise SystemExit(event.error.message)
        if event.type == DELTA:
            deltas += event.delta
        if event.type == COMPLETED:
            assert deltas == event.transcript, (deltas, event.transcript)
            return event.transcript
    raise SystemExit("the socket closed without a text")


def strict_text():
    """Every event is exactly what the client declares."""
    declared = TypeAdapter(RealtimeServerEvent)
    with OpenAI(base_url=url, api_key="none").realtime.connect(extra_query={"intent": "transcription"}) as connection:
        connection.session.update(session=session)
        for audio in pieces():
            connection.input_audio_buffer.append(audio=audio)
        connection.input_audio_buffer.commit()
        connection.input_audio_buffer.commit(event_id="mine")
        connection.input_audio_buffer.clear()
        while True:
            event = declared.validate_json(connection.recv_bytes(), strict=True)
            if event.type == "error":
                assert event.error.event_id == "mine", event
            if event.type == COMPLETED:
                return event.transcript


def sync_text():
    with OpenAI(base_url=url, api_key="none").realtime.connect(extra_query={"intent": "transcription"}) as connection:
        connection.session.update(session=session)
        for audio in pieces():
            connection.input_audio_buffer.append(audio=audio)
        connection.input_audio_buffer.commit()
        return text_of(connection)


async def async_text():
    client = AsyncOpenAI(base_url=url, api_key="none")
    async with client.realtime.connect(model="whisper-1") as connection:
        await connection.session.update(session=session)
        for audio in pieces():
            await connection.input_audio_buffer.append(audio=audio)
        await connection.input_audio_buffer.commit()
        events = []
        async for event in connection:
            events.append(event)
            if event.type in (COMPLETED, "error"):
                return text_of(events)


print(json.dumps([strict_text(), sync_text(), asyncio.run(async_text())]))
