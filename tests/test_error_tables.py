"""Every error is drawn in the tree, has a code, and is known to HTTP, to the command and to its page."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ownkey.cli.problems import EXIT, exit_code
from ownkey.server.problems import STATUS, headers_of, status_of
from ownkey.talk import errors
from ownkey.talk.errors import OwnkeyError


def _drawn(kind: type[OwnkeyError], indent: str = "") -> Iterator[str]:
    """The tree below a class, as the docstring draws it."""
    below = kind.__subclasses__()
    for one in below:
        last = one is below[-1]
        yield f"{indent}{'└' if last else '├'}── {one.__name__}"
        yield from _drawn(one, indent + ("    " if last else "│   "))


def _all(kind: type[OwnkeyError] = OwnkeyError) -> list[type[OwnkeyError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in _all(below))]


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn = re.findall(r"^([│ ]*[├└]── \w+)", errors.__doc__ or "", re.MULTILINE)
    assert drawn == list(_drawn(OwnkeyError))
    assert all(kind.__module__ == errors.__name__ for kind in _all())


def test_every_error_has_a_code_and_no_two_that_are_raised_share_one() -> None:
    assert all(re.fullmatch(r"[a-z_]+", kind.code) for kind in _all())
    leaves = [kind.code for kind in _all() if not kind.__subclasses__()]
    assert len(set(leaves)) == len(leaves)


def test_every_error_has_an_http_status_and_an_exit_code() -> None:
    for kind in _all():
        error = kind("It went wrong.")
        assert 400 <= status_of(error) <= 599
        assert 1 <= exit_code(error) <= 6
        assert dict(headers_of(error))[b"x-should-retry"] in (b"true", b"false")
    assert set(STATUS) | set(EXIT) <= set(_all())


def test_an_error_says_what_happened_then_what_to_do() -> None:
    for kind in _all():
        error = kind("It went wrong.", "Do this.")
        assert str(error) == "It went wrong. Do this."


def test_what_may_be_tried_again_may_be_tried_elsewhere() -> None:
    assert [kind.__name__ for kind in _all() if kind.again and not kind.move_on] == []
