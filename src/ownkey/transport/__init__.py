"""The only code that opens a socket to a provider: HTTP/1.1, whole answers or one clear error."""

from ownkey.transport.answer import Incoming
from ownkey.transport.client import Transport
from ownkey.transport.request import Deadlines, KeyHeader, Outgoing, unheard

__all__ = ["Deadlines", "Incoming", "KeyHeader", "Outgoing", "Transport", "unheard"]
