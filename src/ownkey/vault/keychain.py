"""The keychain of the operating system, in which the root key may be kept, and nothing else is."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from threading import Thread
from time import monotonic
from typing import Any, Protocol, TypeVar

from ownkey.talk.errors import VaultSealed

T = TypeVar("T")

SERVICE = "ownkey"
DEADLINE_S = 5.0

# keyring's own choice follows PYTHON_KEYRING_BACKEND and keyringrc.cfg and may be its null, plaintext or chaining
# backend, or a plugin's. So it is not asked: of these, which keep what they are given encrypted, the best is taken.
ALLOWED = (
    ("keyring.backends.macOS", "Keyring"),
    ("keyring.backends.Windows", "WinVaultKeyring"),
    ("keyring.backends.SecretService", "Keyring"),
    ("keyring.backends.libsecret", "Keyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
    ("keyring.backends.kwallet", "DBusKeyringKWallet4"),
)


class Backend(Protocol):
    """What is used of a backend of keyring's."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


def backend() -> Backend | None:
    """The best real backend that works on this system."""
    kinds: list[Any] = [getattr(import_module(module), name) for module, name in ALLOWED]
    viable = [kind for kind in kinds if kind.viable]
    return max(viable, key=lambda kind: kind.priority)() if viable else None


class Keychain:
    """One keychain, for one unlocking: all that is asked of it is answered within `deadline_s` of its making.

    Every call raises VaultSealed where the keychain is locked, hangs, or does not give back what it was given.
    """

    def __init__(self, choose: Callable[[], Backend | None] = backend, deadline_s: float = DEADLINE_S) -> None:
        self._until = monotonic() + deadline_s
        self._backend = self._ask(choose)

    @property
    def there(self) -> bool:
        """Whether this system has one."""
        return self._backend is not None

    def read(self, name: str) -> bytes | None:
        """What is kept under that name."""
        text = self._ask(lambda: self._real.get_password(SERVICE, name))
        try:
            return None if text is None else base64.b64decode(text, validate=True)
        except ValueError:
            raise VaultSealed("The root key in the keychain was altered.", "Restore the keychain.") from None

    def write(self, name: str, raw: bytes) -> None:
        """Keep it, once a trial entry came back as it was written and went away when told to."""
        trial = f"probe/{secrets.token_hex(8)}"
        self._keep(trial, secrets.token_bytes(32))
        self.remove(trial)
        if self.read(trial) is not None:
            raise VaultSealed("The keychain does not delete what it is told to.", _HINT)
        self._keep(name, raw)

    def remove(self, name: str) -> None:
        self._ask(lambda: self._real.delete_password(SERVICE, name))

    def _keep(self, name: str, raw: bytes) -> None:
        text = base64.b64encode(raw).decode()
        self._ask(lambda: self._real.set_password(SERVICE, name, text))
        if self.read(name) != raw:
            raise VaultSealed("The keychain does not give back what it is given.", _HINT)

    @property
    def _real(self) -> Backend:
        if self._backend is None:
            raise VaultSealed("This system has no keychain that can be used.", _HINT)
        return self._backend

    def _ask(self, work: Callable[[], T]) -> T:
        """Run in a thread of its own: a prompt may hang for ever, and a hanging thread must not keep the process."""
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(work())
            except BaseException as wrong:  # noqa: BLE001  it is raised again where it was asked
                answer.set_exception(wrong)

        Thread(target=run, name="keychain", daemon=True).start()
        try:
            return answer.result(max(0.0, self._until - monotonic()))
        except VaultSealed:
            raise
        except TimeoutError:
            raise VaultSealed("The keychain did not answer in time.", _HINT) from None
        except Exception as wrong:  # noqa: BLE001  backends raise their platform's own errors
            raise VaultSealed(f"The keychain refused ({type(wrong).__name__}).", _HINT) from None


_HINT = "Unlock it and try again, or give the root key in OWNKEY_MASTER_KEY_FILE."
