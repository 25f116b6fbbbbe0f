"""Keeps what is PUT, gives it back, and forgets what is DELETEd: one file for each path, in a directory.

    python3 server.py DIRECTORY

It takes a free port of the loopback interface, and says which.
"""

import http.server
import os
import sys
import urllib.parse

DIRECTORY = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    def kept(self):
        return os.path.join(DIRECTORY, urllib.parse.quote(self.path, safe=""))

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with open(self.kept() + ".part", "wb") as part:
            part.write(body)
        os.replace(self.kept() + ".part", self.kept())
        self.answer(201, b"kept")

    def do_GET(self):
        try:
            with open(self.kept(), "rb") as kept:
                self.answer(200, kept.read())
        except FileNotFoundError:
            self.answer(404)

    def do_DELETE(self):
        try:
            os.remove(self.kept())
            self.answer(204)
        except FileNotFoundError:
            self.answer(404)

    def log_message(self, *_):
        pass


os.makedirs(DIRECTORY, exist_ok=True)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
