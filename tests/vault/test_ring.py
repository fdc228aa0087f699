"""Root keys that take over, as they are noted: only who has one of them has the other, and nothing else is believed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ownkey.store.install import Installed
from ownkey.store.rotation import Rotation
from ownkey.talk.errors import VaultSealed
from ownkey.vault.envelope import Root
from ownkey.vault.ring import Ring, backward, fits, forward, hand_over

OLD, NEW = Root(bytes(range(32))), Root(bytes(range(32, 64)))
FROM, TO = OLD.check("i1"), NEW.check("i1")
NOTED = Installed("i1", "home", FROM, 1)
GOING = Rotation(
    step="sharing",
    from_source="home",
    from_check=FROM,
    to_source="file",
    to_check=TO,
    to_probe=None,
    to_place=None,
    forward=hand_over(NEW, OLD, "i1", FROM, TO),
    backward=hand_over(OLD, NEW, "i1", FROM, TO),
    wraps=0,
    started_at_ms=1,
)


class Short(Root):
    """What hands over less, or more, than a root key is."""

    def __init__(self, given: bytes) -> None:
        super().__init__(bytes(range(32)))
        self._given = given

    def handover(self) -> bytes:
        return self._given


def test_who_has_one_root_key_has_the_other() -> None:
    ring = forward(NOTED, OLD, GOING)
    assert ring.coming is not None
    assert (ring.coming.kek_id, ring.sealing, ring.wrapping) == (NEW.kek_id, OLD, False)
    wrapping = forward(NOTED, OLD, replace(GOING, step="wrapping"))
    assert (wrapping.sealing.kek_id, wrapping.wrapping) == (NEW.kek_id, True)
    assert backward(NOTED, NEW, GOING).kek_id == OLD.kek_id
    alone = forward(NOTED, OLD, None)
    assert (alone.coming, alone.sealing) == (None, OLD)
    assert forward(NOTED, OLD, replace(GOING, forward=None)).coming is None
    assert Ring("i1", OLD, None, True).sealing is OLD


@pytest.mark.parametrize("given", [b"", bytes(31), bytes(33), b"{}"])
def test_V07_what_is_handed_over_is_a_root_key_or_it_is_not_believed(given: bytes) -> None:
    wrong = hand_over(Short(given), OLD, "i1", FROM, TO)
    with pytest.raises(VaultSealed, match="was altered"):
        forward(NOTED, OLD, replace(GOING, forward=wrong))


def test_V07_another_root_key_than_the_one_that_is_noted_is_not_believed() -> None:
    another = hand_over(Root(bytes(range(64, 96))), OLD, "i1", FROM, TO)
    with pytest.raises(VaultSealed, match="was altered"):
        forward(NOTED, OLD, replace(GOING, forward=another))


@pytest.mark.parametrize("change", [{"from_check": TO}, {"to_check": FROM}, {"forward": b""}, {"forward": bytes(80)}])
def test_V07_a_handover_moved_to_another_taking_over_is_not_believed(change: dict[str, bytes]) -> None:
    with pytest.raises(VaultSealed, match="was altered"):
        forward(NOTED, OLD, replace(GOING, **change))


@pytest.mark.parametrize("change", [{"backward": None}, {"backward": GOING.forward}, {"from_check": TO}])
def test_V07_nor_is_it_on_the_way_back(change: dict[str, bytes | None]) -> None:
    with pytest.raises(VaultSealed, match="was altered"):
        backward(NOTED, NEW, replace(GOING, **change))


def test_the_two_checks_of_a_handover_are_not_mistaken_for_one_another() -> None:
    """What is wrapped is tied to the install and to both of them, in their order."""
    with pytest.raises(VaultSealed):
        forward(replace(NOTED, id="i2"), OLD, GOING)
    turned = hand_over(NEW, OLD, "i1", TO, FROM)
    with pytest.raises(VaultSealed):
        forward(NOTED, OLD, replace(GOING, forward=turned))


def test_no_root_key_fits_where_none_is_noted() -> None:
    assert fits(OLD, "i1", FROM)
    assert not fits(OLD, "i1", None)
    assert not fits(OLD, "i1", b"")
    assert not fits(OLD, "i2", FROM)
