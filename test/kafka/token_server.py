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
        length = int(self.headers.get("Content-Length", 0))
        body = parse_qs(self.rfile.read(length).decode())
        told = (body.get("client_id"), body.get("client_secret"))
        known = told == ([client], [secret]) or self.headers.get("Authorization") == basic
        answer = {"error": "invalid_client"}
        if known:
            now = int(time.time())
            claims = {"sub": client, "iat": now, "exp": now + 3600, "scope": "kafka"}
            token = f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."
            answer = {"access_token": token, "token_type": "bearer", "expires_in": 3600}
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
print(server.server_address[1], flush=True)
server.serve_forever()
