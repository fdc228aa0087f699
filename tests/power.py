"""What a disk holds after the power has failed, made from what a process has told the system to write.

strace(1) records every write, cut, rename and sync. Up to any of them, what was synced is there; of what was not, any
part may be: each sector of each write for itself. Names in a folder (made, renamed, removed) come in the order in which
they were told, as far as any journal got, and are all there once the folder, or the file that was made, is synced.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
_CALLS = (
    "openat,pwrite64,write,sendto,lseek,ftruncate,fsync,fdatasync,rename,renameat2,link,linkat,unlink,unlinkat,close"
)
_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>(.*)|(\w+)\((.*))", re.DOTALL)
_HEX = re.compile(r"\\x([0-9a-f]{2})")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class Call:
    name: str
    said: str
    gave: int

    @property
    def texts(self) -> list[bytes]:
        return [_bytes(found) for found in _TEXT.findall(self.said)]

    @property
    def fd(self) -> int:
        return int(re.match(r"\d+", self.said)[0])  # type: ignore[index]

    def number(self, place: int) -> int:
        return int(_TEXT.sub('""', self.said).split(", ")[place].rstrip(")"))


def record(command: Sequence[str], env: dict[str, str], log: Path, *, within_s: float = 90) -> list[Call]:
    """Run it to its end; every call in the order in which they ended."""
    traced = ["strace", "-f", "-qq", "-xx", "-s", "1048576", "--seccomp-bpf", "-o", str(log), "-e", f"trace={_CALLS}"]
    ran = subprocess.run([*traced, *command], env=env, capture_output=True, text=True, timeout=within_s, check=False)
    assert ran.returncode == 0, ran.stderr
    return list(_calls(log.read_text().splitlines()))


def _calls(lines: Sequence[str]) -> Iterator[Call]:
    begun: dict[str, tuple[str, str]] = {}
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        pid, _, rest, name, said = found.groups()
        if name is not None and said.endswith("<unfinished ...>"):
            begun[pid] = name, said.removesuffix("<unfinished ...>")
            continue
        if name is None:
            name, before = begun.pop(pid)
            said = before + rest
        said, _, gave = said.rpartition(" = ")
        if re.match(r"\d+", gave):
            yield Call(name, said.strip(), int(gave.split()[0]))


@dataclass
class _File:
    kept: bytearray = field(default_factory=bytearray)
    waiting: list[tuple[int, bytes] | int] = field(default_factory=list)
    size: int = 0

    def write(self, at: int, data: bytes) -> None:
        self.waiting.append((at, data))
        self.size = max(self.size, at + len(data))

    def cut(self, size: int) -> None:
        self.waiting.append(size)
        self.size = size

    def sync(self) -> None:
        self.kept = self.with_some(lambda: True)
        self.waiting.clear()

    def with_some(self, is_there: Callable[[], bool]) -> bytearray:
        data = bytearray(self.kept)
        for one in self.waiting:
            if isinstance(one, int):
                if is_there():
                    data[:] = data[:one].ljust(one, b"\0")
                continue
            at, written = one
            for start in range(0, len(written), SECTOR):
                if is_there():
                    piece = written[start : start + SECTOR]
                    data[:] = data.ljust(at + start, b"\0")
                    data[at + start : at + start + len(piece)] = piece
        return data


class Disk:
    """Of what is under `home`. `told` are the bytes that went out by sockets, `said` those to standard output."""

    def __init__(self, home: Path) -> None:
        self._home = str(home).encode()
        self._names: dict[bytes, _File] = {}
        self._kept_names: dict[bytes, _File] = {}
        self._waiting_names: list[tuple[bytes, _File | None, bytes | None]] = []
        self._open: dict[int, tuple[bytes, _File | None, bool]] = {}
        self._at: dict[int, int] = {}
        self.said = bytearray()
        self.told = bytearray()

    def take(self, call: Call) -> bool:
        """Whether it changed anything that could be lost or kept."""
        act = getattr(self, f"_{call.name}", None)
        return act is not None and act(call) is not False

    def image(self, folder: Path, chance: random.Random) -> None:
        """What may be there now: nothing of what was not synced, all of it, or some."""
        share = chance.choice((0.0, 1.0, 0.5, 0.1, 0.9))
        names = dict(self._kept_names)
        journal = chance.randint(0, len(self._waiting_names)) if 0 < share < 1 else int(share) * 10**6
        for name, file, gone in self._waiting_names[:journal]:
            _rename(names, name, file, gone)
        for name, file in names.items():
            path = folder / name[len(self._home) + 1 :].decode()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(file.with_some(lambda: chance.random() < share))
            path.chmod(0o600)

    def _mine(self, path: bytes) -> bool:
        return path.startswith(self._home + b"/") and not path.endswith(b"-shm")

    def _change(self, name: bytes, file: _File | None, gone: bytes | None = None) -> None:
        _rename(self._names, name, file, gone)
        self._waiting_names.append((name, file, gone))

    def _openat(self, call: Call) -> bool:
        self._at.pop(call.gave, None)
        path = call.texts[0]
        if path == self._home or (path.startswith(self._home) and "O_DIRECTORY" in call.said):
            self._open[call.gave] = path, None, False
            return False
        if not self._mine(path):
            self._open.pop(call.gave, None)
            if path.startswith(self._home):
                self._open[call.gave] = path, None, False
            return False
        changed = False
        if path not in self._names and "O_CREAT" in call.said:
            self._change(path, _File())
            changed = True
        file = self._names.get(path)
        if file is not None and "O_TRUNC" in call.said and file.size:
            file.cut(0)
            changed = True
        self._open[call.gave] = path, file, "O_APPEND" in call.said
        return changed

    def _close(self, call: Call) -> bool:
        self._open.pop(call.fd, None)
        return False

    def _pwrite64(self, call: Call) -> bool:
        file = self._file(call)
        if file is None:
            return False
        file.write(call.number(3), call.texts[0][: call.gave])
        return True

    def _write(self, call: Call) -> bool:
        if call.fd == 1:
            self.said += call.texts[0][: call.gave]
            return False
        file = self._file(call)
        if file is None:
            return False
        at = file.size if self._open[call.fd][2] else self._at.get(call.fd, 0)
        file.write(at, call.texts[0][: call.gave])
        self._at[call.fd] = at + call.gave
        return True

    def _sendto(self, call: Call) -> bool:
        self.told += call.texts[0][: call.gave]
        return False

    def _lseek(self, call: Call) -> bool:
        self._at[call.fd] = call.gave
        return False

    def _ftruncate(self, call: Call) -> bool:
        file = self._file(call)
        if file is None:
            return False
        file.cut(call.number(1))
        return True

    def _fsync(self, call: Call) -> bool:
        if call.fd not in self._open:
            return False
        path, file, _ = self._open[call.fd]
        if file is None:
            here = [one for one in self._waiting_names if one[0].rpartition(b"/")[0] == path]
            for one in here:
                _rename(self._kept_names, *one)
                self._waiting_names.remove(one)
        else:
            file.sync()
        return path.startswith(self._home)

    _fdatasync = _fsync

    def _rename(self, call: Call) -> bool:
        before, after = call.texts
        if not self._mine(before):
            return False
        self._change(after, self._names[before], before)
        return True

    _renameat2 = _rename

    def _link(self, call: Call) -> bool:
        before, after = call.texts
        if not self._mine(after):
            return False
        self._change(after, self._names[before])
        return True

    _linkat = _link

    def _unlink(self, call: Call) -> bool:
        if call.texts[0] not in self._names:
            return False
        self._change(call.texts[0], None)
        return True

    _unlinkat = _unlink

    def _file(self, call: Call) -> _File | None:
        return self._open.get(call.fd, (b"", None, False))[1]


def _rename(names: dict[bytes, _File], name: bytes, file: _File | None, gone: bytes | None) -> None:
    if gone is not None:
        names.pop(gone, None)
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file
