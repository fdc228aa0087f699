"""`ownkey desktop`: the page in a window, with the server inside."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import typer

from ownkey.app.signing import SignIn
from ownkey.cli.show import opened, usd
from ownkey.server.run import DRAIN_S
from ownkey.settings import Settings, load
from ownkey.talk.errors import BadConfiguration, OwnkeyError

STOP_S = DRAIN_S + 5
"""That the server inside has for what is open when the window ends."""

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def desktop(
    port: int | None = typer.Option(None, help="Port to listen at; 3010 unless set, and where that is taken, any."),
) -> None:
    """Open the page in a window, with the gateway inside. Needs `pip install "ownkey[desktop]"`."""
    settings = load(port=port)
    _check(settings)
    with _loading():
        from ownkey.cli import window
    application = window.application()
    with _served(port) as (process, address):
        asks = window.Asks(
            address=lambda: _signing_in(address),
            spent=_spent,
            alive=lambda: process.poll() is None,
        )
        window.show(application, settings.home / "window.ini", asks)
        if process.poll() is not None:
            raise OwnkeyError("The gateway inside has ended by itself.", "Start it again; what it printed says more.")


def _check(settings: Settings) -> None:
    if settings.public_url is not None:
        raise BadConfiguration(
            f"This Ownkey is for browsers at {settings.public_url}, and a window would be another.",
            "Open that address in a browser.",
            param="public_url",
        )


@contextmanager
def _loading() -> Generator[None]:
    """Around what loads Qt: raises BadConfiguration where that is not to be had."""
    try:
        yield
    except ModuleNotFoundError:
        raise BadConfiguration(
            "The window needs Qt, which is not installed.", 'Install it: pip install "ownkey[desktop]".'
        ) from None
    except ImportError as error:
        raise BadConfiguration(
            f"Qt cannot be loaded: {error}.", "Install the library that it names; docs/desktop.md lists Debian's."
        ) from None


@contextmanager
def _served(port: int | None) -> Generator[tuple[subprocess.Popen[str], str]]:
    """`ownkey serve` in a process of its own, and its address. It ends with this one, whatever ends this one.

    What opens keys is not what shows pages. Nobody's server but the one that was started here is trusted
    with a link: who listens at its port may be anybody.
    """
    where = ["--or-any-port"] if port is None else ["--port", str(port)]
    process = subprocess.Popen(  # noqa: S603 - this Python, with words of our own
        [sys.executable, "-P", "-m", "ownkey", "serve", "--host", "127.0.0.1", *where, "--stop-at-eof"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # An interrupt of the terminal is the window's, which ends it in good order.
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        found = _ADDRESS.search(process.stdout.readline())
        if found is None:
            # What was wrong it has said itself.
            raise typer.Exit(process.wait() or 1)
        yield process, found[0]
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def _signing_in(address: str) -> str:
    """An address that signs the owner in, once. What stands after the # is sent to nobody, and logged nowhere."""
    with opened() as ownkey:
        return f"{address}/sign-in#link={SignIn(ownkey.house).link().reveal().decode('ascii')}"


def _spent() -> str:
    try:
        with opened() as ownkey:
            month = ownkey.usage.summary().month
    except OwnkeyError:
        return "This month: not known"
    if month is None:
        return "This month: $0.00"
    more = " and what is not known" if month.unpriced else ""
    return f"This month: {usd(month.cost_nano)}{more}"
