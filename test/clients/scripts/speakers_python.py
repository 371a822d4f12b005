"""openai-python: diarized_json by its own types, whole and as a stream. Prints a JSON list of what was said."""

import asyncio
import base64
import json
import sys

from openai import AsyncOpenAI, OpenAI
from openai.types.audio import TranscriptionDiarized, TranscriptionStreamEvent
from pydantic import TypeAdapter

url, file, reference = sys.argv[1:4]
client = OpenAI(base_url=url, api_key="none", max_retries=0)
request = {
    "model": "gpt-4o-transcribe-diarize",
    "response_format": "diarized_json",
    "chunking_strategy": "auto",
    "known_speaker_names": ["Ann"],
    "known_speaker_references": [
        "data:audio/wav;base64," + base64.b64encode(open(reference, "rb").read()).decode()
    ],
}


def lines(segments):
    return "\n".join(f"{segment.speaker}:{segment.text}" for segment in segments)


def whole():
    answer = client.audio.transcriptions.create(file=open(file, "rb"), **request)
    assert isinstance(answer, TranscriptionDiarized), type(answer)
    assert answer.task == "transcribe" and answer.usage is not None, answer
    return lines(answer.segments)


def strict():
    """The answer is exactly what the client declares."""
    raw = client.audio.transcriptions.with_raw_response.create(file=open(file, "rb"), **request)
    return lines(TypeAdapter(TranscriptionDiarized).validate_json(raw.text, strict=True).segments)


def stream():
    declared = TypeAdapter(TranscriptionStreamEvent)
    segments = []
    for event in client.audio.transcriptions.create(file=open(file, "rb"), stream=True, **request):
        declared.validate_python(event.model_dump(), strict=True)
        if event.type == "transcript.text.segment":
            segments.append(event)
    assert event.type == "transcript.text.done", event
    return lines(segments)


async def asynchronous():
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as other:
        answer = await other.audio.transcriptions.create(file=open(file, "rb"), **request)
        return lines(answer.segments)


print(json.dumps([whole(), strict(), stream(), asyncio.run(asynchronous())]))
