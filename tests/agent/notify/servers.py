"""A mail server and a web server that hear what is sent to people and answer as they are told."""

import json
import socketserver
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Postman(socketserver.StreamRequestHandler):
    """Speaks SMTP as its server says: `answers` replace the usual; with `tls` it encrypts, at once or when asked."""

    def handle(self):
        if self.server.at_once and not self.encrypt():
            return
        self.say("220 test")
        ability = "\r\n250-STARTTLS" if self.server.tls else ""
        usual = {
            "ehlo": f"250-test{ability}\r\n250 AUTH PLAIN",
            "data": "354 go on",
            "starttls": "220 go on",
            "quit": "221 bye",
            "auth": "235 ok",
        }
        while line := self.rfile.readline().decode().strip():
            self.server.heard["commands"].append(line)
            word = line.partition(" ")[0].lower()
            answer = self.server.answers.get(word, usual.get(word, "250 ok"))
            self.say(answer)
            if word == "data" and answer.startswith("354"):
                self.take()
            if word == "quit" or (word == "starttls" and not self.encrypt()):
                return

    def encrypt(self):
        try:
            self.connection = self.server.tls.wrap_socket(self.request, server_side=True)
        except OSError:
            return False  # the other side does not trust us
        self.server.heard["encrypted"] = True
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        return True

    def finish(self):
        super().finish()
        self.connection.close()

    def take(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        self.server.heard["data"] = b"".join(lines)
        self.say(self.server.answers.get("end", "250 taken"))

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(tls=None, *, at_once=False, **answers):
    """Yield port and what was heard."""
    server = socketserver.TCPServer(("127.0.0.1", 0), Postman)
    server.tls, server.at_once, server.answers = tls, at_once, answers
    server.heard = {"commands": [], "data": b"", "encrypted": False}
    with serving(server) as port:
        yield port, server.heard


@contextmanager
def web_server(status=200, **headers):
    """Yield port and what was heard: path, JSON, headers."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.path, json.loads(body), dict(self.headers.items()) | {"body": body}))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, heard
