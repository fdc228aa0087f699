from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelled import Modelled, modelled
from ownkey import Ownkey

Run = Callable[[Callable[[Ownkey], Coroutine[Any, Any, Any]]], Any]


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Modelled]:
    with modelled(tmp_path / "home") as made:
        yield made


@pytest.fixture
def running(model: Modelled) -> Run:
    """Runs what is done with an Ownkey over the model's home."""

    def run(work: Callable[[Ownkey], Coroutine[Any, Any, Any]]) -> Any:
        async def main() -> Any:
            here = f"127.0.0.1:{model.provider.port}"
            async with Ownkey(model.home, keychain=False, retries=0, allow_private_hosts=here) as ownkey:
                return await work(ownkey)

        return asyncio.run(main())

    return run
