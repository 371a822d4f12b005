"""openai-whisper on many recordings, on the weights of a ggml file. Reads one JSON line from stdin, writes one."""

import json
import struct
import sys
import time

import numpy
import torch
from whisper import transcribe
from whisper.model import ModelDimensions, Whisper


def ggml_tensors(path):
    """Dimensions and tensors of a Whisper model in ggml's format, f32 and f16 alone; names are OpenAI's."""
    with open(path, "rb") as file:
        data = file.read()
    magic, *numbers = struct.unpack_from("<12i", data)
    if magic != 0x67676D6C:
        raise SystemExit(f"{path} is no ggml file")
    vocabulary, audio_context, audio_state, audio_heads, audio_layers = numbers[:5]
    text_context, text_state, text_heads, text_layers, mels = numbers[5:10]
    dimensions = ModelDimensions(
        n_mels=mels,
        n_audio_ctx=audio_context,
        n_audio_state=audio_state,
        n_audio_head=audio_heads,
        n_audio_layer=audio_layers,
        n_vocab=vocabulary,
        n_text_ctx=text_context,
        n_text_state=text_state,
        n_text_head=text_heads,
        n_text_layer=text_layers,
    )
    at = 48
    rows, columns = struct.unpack_from("<2i", data, at)
    at += 8 + 4 * rows * columns
    (words,) = struct.unpack_from("<i", data, at)
    at += 4
    for _ in range(words):
        (length,) = struct.unpack_from("<i", data, at)
        at += 4 + length
    tensors = {}
    while at < len(data):
        rank, length, kind = struct.unpack_from("<3i", data, at)
        at += 12
        shape = struct.unpack_from(f"<{rank}i", data, at)[::-1]
        at += 4 * rank
        name = data[at : at + length].decode()
        at += length
        numeric = {0: numpy.float32, 1: numpy.float16}.get(kind)
        if numeric is None:
            raise SystemExit(f"{path}: {name} is quantised")
        values = numpy.frombuffer(data, numeric, int(numpy.prod(shape)), at)
        at += values.nbytes
        tensors[name] = torch.from_numpy(values.astype(numpy.float32).reshape(shape))
    return dimensions, tensors


task = json.loads(sys.stdin.read())
torch.set_num_threads(task["threads"])
dimensions, tensors = ggml_tensors(task["model"])
model = Whisper(dimensions)
shapes = {name: value.shape for name, value in model.state_dict().items()}
# ggml keeps the biases of convolutions as columns.
model.load_state_dict({name: value.reshape(shapes[name]) for name, value in tensors.items()})
model.eval()
results = []
start = time.perf_counter()
for recording in task["recordings"]:
    samples = numpy.fromfile(recording["path"], dtype=numpy.float32)
    beam = {} if task["beam"] == 1 else {"beam_size": task["beam"]}
    seen = transcribe(model, samples, language="en", fp16=False, verbose=None, **beam)
    results.append(
        {
            "id": recording["id"],
            "text": seen["text"],
            "fellBack": any(segment["temperature"] > 0 for segment in seen["segments"]),
        }
    )
print(json.dumps({"elapsed": time.perf_counter() - start, "results": results}))
