"""As webhooks_node.mjs, with OpenAI's client for Python and its library of Standard Webhooks."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks.webhooks import Webhook

base_url, api_key, place = sys.argv[1:4]
host, port = place.split(":")
received = []


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        received.append((body, dict(self.headers)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer((host, int(port)), Hook)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
event = "transcription.completed"
made = client.webhooks.create(name="python", url=f"http://{place}/", event_types=[event])
types = []


def verified(secret):
    body, headers = received[-1]
    found = client.webhooks.unwrap(body, headers, secret=secret)
    same = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert same["id"] == found.id and same["data"]["id"] == found.data.id, same
    types.append(found.type)


result = client.webhooks.test(made.id, event_type=event)
assert result.status_code == 204 and result.success is True, result
verified(made.signing_secret)
fresh = client.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
client.webhooks.test(made.id, event_type=event)
verified(fresh.signing_secret)
verified(made.signing_secret)
try:
    client.webhooks.unwrap(received[-1][0] + " ", received[-1][1], secret=fresh.signing_secret)
    raise AssertionError("another body was taken for the signed one")
except InvalidWebhookSignatureError:
    pass
assert made.id in [each.id for each in client.webhooks.list(limit=1)]
assert client.webhooks.update(made.id, name="other").name == "other"
assert client.webhooks.delete(made.id).deleted is True
print(json.dumps(types))
server.shutdown()
