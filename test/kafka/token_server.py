"""An endpoint that gives tokens to OAUTHBEARER's clients, for tests.

    token_server.py CLIENT SECRET

Prints its port.  Whoever comes with the client's id and secret gets a token that says who he is and is not
signed, which is what Kafka takes where nothing else is configured; others are refused.
"""

import base64
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

client, secret = sys.argv[1:]
basic = "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()


def part(what):
    return base64.urlsafe_b64encode(json.dumps(what).encode()).decode().rstrip("=")


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        body = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())
        in_body = body.get("client_id") == [client] and body.get("client_secret") == [secret]
        known = in_body or self.headers.get("Authorization") == basic
        now = int(time.time())
        claims = {"sub": client, "iat": now, "exp": now + 3600, "scope": "kafka"}
        token = f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."
        answer = {"access_token": token, "token_type": "bearer", "expires_in": 3600} if known else {"error": "invalid_client"}
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
print(server.server_address[1], flush=True)
server.serve_forever()
