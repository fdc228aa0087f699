"""A mail server on a thread of this process, on a real port: it takes e-mails, or refuses them as it is told to.

with mail_server() as server:
    ...server.port, server.letters
"""

from __future__ import annotations

import asyncio
import email
import ssl
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP


@dataclass
class Letter:
    """`raw` as it came, `under_tls` or not, from one who logged in as `user` with `password`."""

    sender: str
    recipients: list[str]
    raw: bytes
    under_tls: bool
    user: str | None
    password: str | None

    @property
    def message(self) -> EmailMessage:
        read = email.message_from_bytes(self.raw, policy=SMTP)
        assert isinstance(read, EmailMessage)
        return read

    @property
    def text(self) -> str:
        return self.message.get_content().replace("\r\n", "\n")


@dataclass
class MailServer:
    """`says` are answers in place of the usual ones, by the command: `{"DATA": "451 later"}`; None says nothing."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    from_start: bool = False
    says: dict[str, str | None] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    connections: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        letter = Letter("", [], b"", self.from_start, None, None)
        writer.write(b"220 test ESMTP\r\n")
        while line := await reader.readline():
            said = line.decode("latin-1").strip()
            word = said.partition(" ")[0].upper()
            self.heard.append(said)
            if word in self.says:
                if (answer := self.says[word]) is not None:
                    writer.write(f"{answer}\r\n".encode())
                continue
            match word:
                case "EHLO":
                    offers = ["AUTH PLAIN"] + (["STARTTLS"] if self.tls and not letter.under_tls else [])
                    writer.write(b"".join(b"250-%b\r\n" % one.encode() for one in ("test", *offers)) + b"250 SIZE\r\n")
                case "STARTTLS":
                    writer.write(b"220 go ahead\r\n")
                    await writer.start_tls(self.tls)
                    letter.under_tls = True
                case "AUTH":
                    _, letter.user, letter.password = b64decode(said.split(" ")[2]).decode().split("\0")
                    writer.write(b"235 welcome\r\n")
                case "MAIL":
                    letter.sender = said.split("<")[1].split(">")[0]
                    writer.write(b"250 ok\r\n")
                case "RCPT":
                    letter.recipients.append(said.split("<")[1].split(">")[0])
                    writer.write(b"250 ok\r\n")
                case "DATA":
                    writer.write(b"354 go\r\n")
                    stuffed = (await reader.readuntil(b"\r\n.\r\n"))[:-3]
                    letter.raw = stuffed.replace(b"\r\n..", b"\r\n.")
                    self.letters.append(letter)
                    writer.write(b"250 taken\r\n")
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                case _:
                    writer.write(b"250 ok\r\n")


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, from_start: bool = False, **says: str | None
) -> Iterator[MailServer]:
    """`tls` is offered by STARTTLS, or spoken `from_start`."""
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    server = MailServer(tls=tls, from_start=from_start, says=dict(says))

    async def main() -> None:
        listening = await asyncio.start_server(server.talk, "127.0.0.1", 0, ssl=tls if from_start else None)
        server.port = listening.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        listening.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
