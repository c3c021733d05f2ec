"""A stand-in for Twilio, in a process of its own: it takes requests only as Twilio documents them.

`python twilio_peer.py PORT` prints its port. POST /control sets how the next calls that send end (a
list of scripts, one per call) or takes the peer down; GET /control tells what it has seen.
"""

import base64
import json
import re
import sys
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "fedcba9876543210" * 2
PATH = f"/2010-04-01/Accounts/{SID}/Messages.json"
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
SENDER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{1,11}")
FIELDS = {"To", "From", "MessagingServiceSid", "Body", "ValidityPeriod"}
ERRORS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal server error"),
    21211: (400, "Invalid 'To' Phone Number"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21614: (400, "'To' number is not a valid mobile number"),
    21660: (400, "Mismatch between the 'From' number and the account"),
}


def utc(seconds: float) -> str:
    """A time as Twilio writes it."""
    return formatdate(seconds).replace("-0000", "+0000")


def stop_with_parent(server: ThreadingHTTPServer) -> None:
    """Standard input ends when who started this has gone."""
    sys.stdin.read()
    server.shutdown()


class Peer:
    """What was sent, and what is to come."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.messages: list[dict[str, Any]] = []
        self.scripts: list[dict[str, Any]] = []
        self.calls = 0
        self.lookups = 0
        self.wrong: list[str] = []
        self.down = False
        self.released = threading.Event()


PEER = Peer()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        if self.path == "/control":
            self.control(json.loads(body))
        elif PEER.down:
            self.close_connection = True
        elif self.is_known():
            self.create(body)

    def do_GET(self) -> None:
        if self.path == "/control":
            with PEER.lock:
                seen = {
                    "messages": PEER.messages,
                    "calls": PEER.calls,
                    "lookups": PEER.lookups,
                    "wrong": PEER.wrong,
                }
                self.answer(200, seen)
        elif PEER.down:
            self.close_connection = True
        elif self.is_known():
            self.list()

    def control(self, wanted: dict[str, Any]) -> None:
        with PEER.lock:
            PEER.scripts += wanted.get("scripts", [])
            PEER.down = wanted.get("down", PEER.down)
            if wanted.get("release"):
                PEER.released.set()
        self.answer(200, {})

    def is_known(self) -> bool:
        """Answers itself when path or credentials are wrong."""
        right = "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if self.headers.get("authorization") != right:
            self.error(20003)
        elif urlsplit(self.path).path != PATH:
            PEER.wrong.append(f"path {self.path}")
            self.error(20404)
        else:
            return True
        return False

    def create(self, body: bytes) -> None:
        with PEER.lock:
            PEER.calls += 1
            script = PEER.scripts.pop(0) if PEER.scripts else {}
        form = self.form(body)
        if form is None:
            self.error(21660)
            return
        if "error" in script:
            self.error(script["error"], script.get("retry_after"))
            return
        message = {
            "sid": f"SM{PEER.calls:032x}",
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "body": script.get("prefix", "") + form["Body"],
            "validity": form.get("ValidityPeriod"),
            "date_created": formatdate(time.time() - script.get("age", 0)).replace(
                "-0000", "+0000"
            ),
            "status": "queued",
            "direction": "outbound-api",
            "error_code": None,
        }
        if not script.get("lost"):
            with PEER.lock:
                PEER.messages.insert(0, message)
        if "hang" in script:
            PEER.released.wait(script["hang"])
            self.close_connection = True
        elif "cut" in script:
            self.close_connection = True
        elif "after" in script:
            self.error(script["after"])
        elif "odd" in script:
            self.answer(201, script["odd"])
        else:
            self.answer(201, message)

    def form(self, body: bytes) -> dict[str, str] | None:
        """The fields, each once and as documented; else what is wrong is noted."""
        wrong: list[str] = []
        if self.headers.get("content-type") != "application/x-www-form-urlencoded":
            wrong.append(f"type {self.headers.get('content-type')}")
        fields = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=True)
        wrong += [f"field {name}" for name in fields.keys() - FIELDS]
        wrong += [f"twice {name}" for name, values in fields.items() if len(values) != 1]
        form = {name: values[0] for name, values in fields.items()}
        if not E164.fullmatch(form.get("To", "")):
            wrong.append("To")
        if ("From" in form) == ("MessagingServiceSid" in form):
            wrong.append("From and MessagingServiceSid")
        if "From" in form and not SENDER.fullmatch(form["From"]):
            wrong.append("From")
        if not re.fullmatch("MG[0-9a-f]{32}", form.get("MessagingServiceSid", "MG" + "0" * 32)):
            wrong.append("MessagingServiceSid")
        if not 1 <= len(form.get("Body", "")) <= 1_600:
            wrong.append("Body")
        if not 1 <= int(form.get("ValidityPeriod", "14400")) <= 36_000:
            wrong.append("ValidityPeriod")
        PEER.wrong += wrong
        return None if wrong else form

    def list(self) -> None:
        with PEER.lock:
            PEER.lookups += 1
            query = parse_qs(urlsplit(self.path).query)
            found = [one for one in PEER.messages if one["to"] == query.get("To", [one["to"]])[0]]
            size = int(query.get("PageSize", ["50"])[0])
            self.answer(200, {"messages": found[:size], "page_size": size, "next_page_uri": None})

    def error(self, code: int, retry_after: int | None = None) -> None:
        status, message = ERRORS[code]
        more = f"https://www.twilio.com/docs/errors/{code}"
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = {"code": code, "message": message, "more_info": more, "status": status}
        self.answer(status, body, headers)

    def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    threading.Thread(target=stop_with_parent, args=(server,), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
