"""A small real mail server on loopback: it takes mails, refuses them, or dies while taking one."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message


class PostOffice(socketserver.ThreadingTCPServer):
    """What came in, and how it answers: `refuse_rcpt` and `refuse_data` are answers instead of 250; `hang_up` after the data."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.mails: list[Message] = []
        self.refuse_rcpt = ""
        self.refuse_data = ""
        self.hang_up = False

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Conversation(socketserver.StreamRequestHandler):
    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        office = self.server
        assert isinstance(office, PostOffice)
        self.say("220 a post office")
        while line := self.rfile.readline().decode().strip().upper():
            match line.split(":")[0].split()[0]:
                case "RCPT":
                    self.say(office.refuse_rcpt or "250 known")
                case "DATA":
                    self.say("354 go on")
                    body = b"".join(iter(self.rfile.readline, b".\r\n"))
                    if not office.refuse_data:
                        office.mails.append(message_from_bytes(body))
                    if office.hang_up:
                        return
                    self.say(office.refuse_data or "250 taken")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 well")


@contextmanager
def a_post_office() -> Iterator[PostOffice]:
    """Open for the length of the block."""
    with PostOffice() as office:
        threading.Thread(target=office.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield office
        office.shutdown()
