"""How long it takes to choose among twenty candidates, and for `auto`, which weighs nothing; in time of the CPU."""

from __future__ import annotations

import tempfile
import time
import timeit
from functools import partial
from pathlib import Path

from ownkey import Ownkey
from ownkey.engine.request import Request, new_id
from ownkey.talk.chat import Chat, user

KEYS = {"openai": "sk-proj-" + "a" * 60, "gemini": "AIzaSy" + "b" * 33, "deepseek": "sk-" + "c" * 32}
TIMES, ROUNDS = 300, 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ownkey = Ownkey(Path(folder) / "home", keychain=False)
        for provider, key in KEYS.items():
            ownkey.keys.set(provider, key)
        for name in ("auto", "auto:cheap", "auto:fast", "auto:code", "auto:balanced", "auto:learned"):
            found = ownkey.house.targets.found(ownkey.owner, name)
            request = Request(new_id(), ownkey.owner, name, False, chat=Chat((user("Hello " * 50),)))
            choose = partial(ownkey.house.chooser.course, request, found, ownkey.house.engine.policy)
            took_s = min(timeit.repeat(choose, timer=time.process_time, number=TIMES, repeat=ROUNDS)) / TIMES
            print(f"{name:14} {len(found.targets):3} candidates  {took_s * 1e6:7.0f} us")
        ownkey.close()


if __name__ == "__main__":
    main()
