"""What a connection does not take, and what it says then."""

from __future__ import annotations

from msgspec import Struct

from ownkey.talk.errors import InvalidRequest, Overloaded, OwnkeyError, TooLarge


class Limits(Struct, frozen=True):
    """Of one connection.

    `audio_bytes` is the largest body at the paths for sounds, which are sent as files: 25 MiB (OpenAI's API reference,
    Audio), and the form around it. `waiting`: requests that are read ahead. `request_s`: how long a client may take to
    send a request; `room_s`: how long to take nothing of an answer; `linger_s`: how long to hear why it was refused,
    while it still sends. `connections`: how many may be open at once, in one process.
    """

    body_bytes: int = 10 << 20
    audio_bytes: int = 26 << 20
    file_bytes: int = 32 << 20
    head_bytes: int = 64 << 10
    headers: int = 100
    waiting: int = 8
    idle_s: float = 75.0
    request_s: float = 30.0
    room_s: float = 60.0
    linger_s: float = 5.0
    connections: int = 4096

    def body_bytes_at(self, url: bytes) -> int:
        """How large a body may be at this path."""
        if url.startswith(b"/v1/audio/"):
            return max(self.body_bytes, self.audio_bytes)
        return max(self.body_bytes, self.file_bytes) if url == b"/v1/files" else self.body_bytes


class Refusal(Struct, frozen=True):
    """What was sent is not taken, nor anything after it."""

    error: OwnkeyError
    status: int


def unreadable() -> Refusal:
    return Refusal(InvalidRequest("This is not a request in HTTP/1.1.", "Look at what the client sends."), 400)


def no_proxy() -> Refusal:
    return Refusal(InvalidRequest("This server is no proxy.", "Ask it for one of its own paths."), 400)


def too_slow() -> Refusal:
    return Refusal(InvalidRequest("The request did not come to its end in time.", "Send it again."), 408)


def head_too_large(limits: Limits) -> Refusal:
    hint = f"Send at most {limits.headers} headers, and {limits.head_bytes >> 10} KiB."
    return Refusal(TooLarge("The headers are too many or too large.", hint), 431)


def body_too_large(most_bytes: int) -> Refusal:
    return Refusal(TooLarge(f"The body is over {most_bytes >> 20} MiB.", "Send less in one request."), 413)


def crowded() -> Refusal:
    return Refusal(Overloaded("Too many connections are open here.", "Close what is not used, and ask again."), 503)


def defect() -> OwnkeyError:
    return OwnkeyError("Something went wrong inside Ownkey.", "What it was stands in the server's log.")
