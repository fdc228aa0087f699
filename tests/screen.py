"""A screen that nobody sees (Xvfb), with a tray (trayer) where one is wanted, and what people do to windows on it."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from house import until

_CLIENT_MESSAGE = 33
_SMALL = 200
"""Trays have windows of their own."""


@contextmanager
def screen() -> Iterator[str]:
    """Its name, for DISPLAY."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=(write,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def tray(display: str) -> Iterator[None]:
    given = {"DISPLAY": display, "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        ["trayer", "--widthtype", "request"], env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        with _x11(display) as (x11, connection):
            # https://specifications.freedesktop.org/systemtray-spec
            there = x11.XInternAtom(connection, b"_NET_SYSTEM_TRAY_S0", 0)
            until(lambda: x11.XGetSelectionOwner(connection, there), 30)
        yield
    finally:
        process.terminate()
        process.wait(20)


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h, as long as the union that it is a part of."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),
    )


def close_windows(display: str) -> int:
    """Ask each window that can be to close (ICCCM, WM_DELETE_WINDOW), as its button does; how many were asked."""
    with _x11(display) as (x11, connection):
        protocols = x11.XInternAtom(connection, b"WM_PROTOCOLS", 0)
        delete = x11.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
        found = _windows(x11, connection)
        for window in found:
            event = _ClientMessage(type=_CLIENT_MESSAGE, window=window, message_type=protocols, format=32)
            event.data[0] = delete
            x11.XSendEvent(connection, ctypes.c_ulong(window), 0, 0, ctypes.byref(event))
        return len(found)


def resize_windows(display: str, width: int, height: int) -> None:
    with _x11(display) as (x11, connection):
        for window in _windows(x11, connection):
            x11.XResizeWindow(connection, ctypes.c_ulong(window), width, height)


def titles(display: str) -> list[str]:
    with _x11(display) as (x11, connection):
        found = []
        for window in _windows(x11, connection):
            name = ctypes.c_char_p()
            x11.XFetchName(connection, ctypes.c_ulong(window), ctypes.byref(name))
            found.append((name.value or b"").decode("latin-1"))
        return found


@contextmanager
def _x11(display: str) -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p]]:
    x11 = ctypes.CDLL(ctypes.util.find_library("X11"))
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
    x11.XGetSelectionOwner.restype = ctypes.c_ulong
    x11.XGetSelectionOwner.argtypes = (ctypes.c_void_p, ctypes.c_ulong)
    x11.XDefaultRootWindow.restype = ctypes.c_ulong
    opened = x11.XOpenDisplay(display.encode())
    assert opened, "the screen is gone"
    connection = ctypes.c_void_p(opened)
    yield x11, connection
    x11.XCloseDisplay(connection)


def _windows(x11: ctypes.CDLL, connection: ctypes.c_void_p) -> list[int]:
    """Those that can be closed, and are large enough to be anybody's to look at."""
    delete = x11.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
    large = [one for one in _shown(x11, connection) if _width(x11, connection, one) > _SMALL]
    return [one for one in large if delete in _protocols(x11, connection, one)]


def _width(x11: ctypes.CDLL, connection: ctypes.c_void_p, window: int) -> int:
    root, *sizes = ctypes.c_ulong(), *(ctypes.c_int() for _ in range(6))
    x11.XGetGeometry(connection, ctypes.c_ulong(window), ctypes.byref(root), *map(ctypes.byref, sizes))
    return sizes[2].value


def _shown(x11: ctypes.CDLL, connection: ctypes.c_void_p) -> list[int]:
    root, parent, count = ctypes.c_ulong(), ctypes.c_ulong(), ctypes.c_uint()
    found = ctypes.POINTER(ctypes.c_ulong)()
    top = ctypes.c_ulong(x11.XDefaultRootWindow(connection))
    x11.XQueryTree(connection, top, *map(ctypes.byref, (root, parent, found, count)))
    return [found[place] for place in range(count.value)]


def _protocols(x11: ctypes.CDLL, connection: ctypes.c_void_p, window: int) -> list[int]:
    found, count = ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_int()
    x11.XGetWMProtocols(connection, ctypes.c_ulong(window), ctypes.byref(found), ctypes.byref(count))
    return [found[place] for place in range(count.value)]
