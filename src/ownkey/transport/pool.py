"""Connections that wait for their next request: the youngest is taken first, and only by the key that made it."""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle

from ownkey.transport.connection import Connection, Key, Limits

_SWEEP_S = 10.0


class Pool:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._idle: dict[Key, list[Connection]] = {}
        self._size = 0
        self._sweeper: TimerHandle | None = None

    def take(self, key: Key, now: float) -> Connection | None:
        connections = self._idle.get(key)
        while connections:
            connection = connections.pop()
            self._size -= 1
            if connection.alive and now < connection.idle_until:
                return connection
            connection.abort()
        return None

    def put(self, connection: Connection, loop: AbstractEventLoop) -> None:
        connections = self._idle.setdefault(connection.key, [])
        if self._size >= self._limits.idle_in_all or len(connections) >= self._limits.idle_per_key:
            connection.abort()
            return
        connection.idle_until = loop.time() + connection.idle_s
        connections.append(connection)
        self._size += 1
        if self._sweeper is None:
            self._sweeper = loop.call_later(_SWEEP_S, self._sweep, loop)

    def forget(self, connection: Connection) -> None:
        connections = self._idle.get(connection.key, [])
        if connection in connections:
            connections.remove(connection)
            self._size -= 1

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        self._idle.clear()

    def _sweep(self, loop: AbstractEventLoop) -> None:
        now = loop.time()
        self._sweeper = None
        for key, connections in list(self._idle.items()):
            for connection in connections:
                if now >= connection.idle_until:
                    connection.abort()
            connections[:] = [connection for connection in connections if now < connection.idle_until]
            if not connections:
                del self._idle[key]
        self._size = sum(map(len, self._idle.values()))
        if self._size:
            self._sweeper = loop.call_later(_SWEEP_S, self._sweep, loop)
