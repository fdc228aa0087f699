"""The user's own providers: found while running, and harmless when they are wrong."""

import os
import time
from pathlib import Path

import pytest

from ownkey.catalog.load import Catalogue
from ownkey.catalog.read import Problem, read_manifest
from ownkey.talk.errors import InvalidRequest

WIRES = frozenset({"openai-chat", "anthropic-messages", "gemini"})
GOOD = """id = "acme"
name = "Acme AI"
kind = "cloud"
wire = "openai-chat"
base_url = "https://api.acme.example/v1"
"""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalogue(tmp_path: Path, clock: Clock) -> Catalogue:
    return Catalogue(tmp_path, wires=WIRES, clock=clock)


def problem(text: str) -> Problem:
    result = read_manifest(text.encode(), "acme.toml", wires=WIRES)
    assert isinstance(result, Problem)
    return result


@pytest.mark.row("B2")
def test_a_new_file_is_there_at_the_next_request(tmp_path: Path, catalogue: Catalogue) -> None:
    with pytest.raises(InvalidRequest) as caught:
        catalogue.get("acme")
    assert "openai" in caught.value.hint
    (tmp_path / "anything.toml").write_text(GOOD)
    assert catalogue.get("acme").name == "Acme AI"
    assert [provider.id for provider in catalogue.all()][-1] == "acme"
    assert catalogue.problems == []


def test_a_changed_file_is_seen_after_a_second_and_a_removed_one_is_gone(
    tmp_path: Path, catalogue: Catalogue, clock: Clock
) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(GOOD)
    first = catalogue.get("acme")
    clock.now += 1.1
    assert catalogue.get("acme") is first
    file.write_text(GOOD.replace("Acme AI", "Acme Two"))
    clock.now += 1.1
    assert catalogue.get("acme").name == "Acme Two"
    file.unlink()
    clock.now += 1.1
    with pytest.raises(InvalidRequest):
        catalogue.get("acme")


def test_a_file_that_becomes_bad_is_named_and_its_old_version_keeps_working(
    tmp_path: Path, catalogue: Catalogue, clock: Clock
) -> None:
    file = tmp_path / "acme.toml"
    file.write_text(GOOD)
    assert catalogue.get("acme")
    file.write_text(GOOD + "context = 3\n")
    clock.now += 1.1
    assert catalogue.get("acme").name == "Acme AI"
    assert [str(problem) for problem in catalogue.problems] == [
        "acme.toml, line 6: context is not a field that there is"
    ]
    file.write_text(GOOD + "default = 'acme-1'\n")
    clock.now += 1.1
    assert catalogue.get("acme").default == "acme-1"
    assert catalogue.problems == []


def test_a_bad_file_does_not_stop_the_good_ones(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "a.toml").write_text("id = ")
    (tmp_path / "b.toml").write_text(GOOD)
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    catalogue.refresh()
    assert catalogue.get("acme")
    assert [(problem.file, problem.line) for problem in catalogue.problems] == [("a.toml", 1), ("c.toml", None)]


@pytest.mark.parametrize(
    ("change", "line", "key"),
    [
        (("https://api", "http://api"), 5, "base_url"),
        (("https://api.acme", "https://me:pw@api.acme"), 5, "base_url"),
        (("/v1", "/v1?x=1"), 5, "base_url"),
        (("/v1", "/../v1"), 5, "base_url"),
        (("api.acme.example", "{host}"), 5, "base_url"),
        (("https://api.acme.example/v1", "javascript:alert(1)"), 5, "base_url"),
        (("openai-chat", "soap"), 4, "wire"),
        (('"acme"', '"Acme"'), 1, "id"),
        (('"acme"', '"../acme"'), 1, "id"),
        (('"cloud"', '"cluod"'), 3, "kind"),
        (('"cloud"', '"demo"'), 5, "base_url"),
        (('"Acme AI"', '"Ac\\u001bme"'), 2, "name"),
        (('"Acme AI"', "3"), 2, "name"),
    ],
)
def test_what_is_wrong_is_named_with_line_and_key(change: tuple[str, str], line: int, key: str) -> None:
    found = problem(GOOD.replace(*change))
    assert (found.file, found.line, found.key) == ("acme.toml", line, key)


@pytest.mark.parametrize(
    ("more", "line", "key"),
    [
        ("[[models]]\nid = 'a'\n\n[[models]]\nid = 'b'\ncontext = 'x'", 11, "models[1].context"),
        ("[[models]]\nid = 'a'\n\n[[models]]\ncontext = 1", 9, "models[1].id"),
        ("[[models]]\nid = 'a'\nsize = 1", 8, "models[0].size"),
        ("[[models]]\nid = 'a'\n[models.price]\ninput = '-1'\noutput = '1'", 9, "models[0].price.input"),
        ("auth = { header = 'cookie' }", 6, "auth.header"),
        ("[fields.a]\nheader = 'Host'", 7, "fields.a.header"),
    ],
)
def test_nested_mistakes_are_found_where_they_stand(more: str, line: int, key: str) -> None:
    found = problem(GOOD + more)
    assert (found.line, found.key) == (line, key)


def test_P05_a_name_never_leads_out_of_the_folder(tmp_path: Path, catalogue: Catalogue) -> None:
    assert catalogue.place("acme") == tmp_path / "acme.toml"
    for name in ("../../x", "/etc/passwd", "a/b", "a\x00", "", "A", "a" * 65, "..", "con.toml", "é"):
        with pytest.raises(InvalidRequest):
            catalogue.place(name)
        with pytest.raises(InvalidRequest):
            catalogue.get(name)


def test_P05_only_a_plain_file_of_the_folder_is_read(tmp_path: Path) -> None:
    folder, outside = tmp_path / "providers", tmp_path / "outside.toml"
    folder.mkdir()
    outside.write_text(GOOD)
    (folder / "link.toml").symlink_to(outside)
    (folder / "folder.toml").mkdir()
    os.mkfifo(folder / "pipe.toml")
    catalogue = Catalogue(folder, wires=WIRES)
    catalogue.refresh()
    assert list(map(str, catalogue.problems)) == [
        "folder.toml: is not a file",
        "link.toml: is a link; put the file itself there",
        "pipe.toml: is not a file",
    ]
    assert len(catalogue.all()) == 12


def test_P07_headers_that_belong_to_the_connection_cannot_be_set() -> None:
    for header in (
        *("host", "Host", "content-length", "Connection", "Transfer-Encoding", "cookie", "authorization"),
        *("x-forwarded-for", "proxy-authorization", "accept-encoding", "x y", "", "x-\\n"),
    ):
        assert problem(GOOD + f'[headers]\n"{header}" = "1"').key
        assert problem(GOOD + f'[fields.a]\nheader = "{header}"').key == "fields.a.header"
    for value in ("a\\r\\nb", "${HOME}", "{{other.key}}", "é", ""):
        assert str(problem(GOOD + f'[headers]\nx-a = "{value}"').key).startswith("headers")


def test_P07_a_template_may_hold_a_declared_field_and_nothing_else() -> None:
    assert problem(GOOD + "paths = { chat = '/{region}/chat' }").key == "paths.chat"
    assert problem(GOOD + "paths = { chat = '/{model}/../chat' }").key == "paths.chat"
    assert problem(GOOD + "query = { v = '{v}' }").key == "query.v"
    assert problem(GOOD + "query = { v = '{v' }\n[fields.v]").key == "query.v"
    assert not isinstance(read_manifest(f"{GOOD}query = {{v='{{v}}'}}\n[fields.v]".encode(), "a", wires=WIRES), Problem)


@pytest.mark.parametrize("name", ["openai", "demo", "auto"])
def test_P08_a_shipped_provider_cannot_be_replaced(tmp_path: Path, catalogue: Catalogue, name: str) -> None:
    (tmp_path / "x.toml").write_text(GOOD.replace('"acme"', f'"{name}"'))
    catalogue.refresh()
    assert catalogue.problems[0].key == "id"
    assert all(provider.name != "Acme AI" for provider in catalogue.all())
    with pytest.raises(InvalidRequest):
        catalogue.place(name)


def test_two_files_with_one_id_leave_the_first_in_place(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "1.toml").write_text(GOOD)
    (tmp_path / "2.toml").write_text(GOOD.replace("Acme AI", "Other"))
    assert catalogue.get("acme").name == "Acme AI"
    assert [problem.file for problem in catalogue.problems] == ["2.toml"]


def test_P09_what_is_too_large_or_too_deep_is_refused_soon() -> None:
    models = "\n".join(f"[[models]]\nid='m{number}'" for number in range(5_001))
    began = time.thread_time()
    for text in (
        GOOD + "#" + "x" * (1 << 20),
        GOOD + "#" + "x" * 20_000,
        GOOD + "x = " + "[" * 9_000,
        GOOD + "x = " + "{a=" * 3_000,
        GOOD + "a." * 4_000 + "b = 1",
        GOOD + models,
    ):
        assert problem(text)
    assert time.thread_time() - began < 5


def test_P09_a_file_of_the_largest_size_is_read_in_bounded_time(tmp_path: Path) -> None:
    line = "x = 1\n[" + "a." * 20 + "b%d]\n"
    text = GOOD + "".join(line % number for number in range(18_000))
    assert len(text) < 1 << 20
    began = time.thread_time()
    assert problem(text)
    assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    "shape", ["^(a+)+$", "^a*a*$", "(?:a|a)*", "sk-.*", "^[a", "^a{1,2}b{1,2}$", "^[a-z]+[a-z]+$", "^a{99999}"]
)
def test_G11_a_shape_that_could_be_slow_is_refused(shape: str) -> None:
    assert problem(GOOD + f"keys = {{ looks_like = '{shape}' }}").key == "keys.looks_like"


@pytest.mark.parametrize(
    "price", ["NaN", "inf", "-1", "1e-12", "1e3", "0.0000000001", "1000001", "", " 1", "1_0", "٣", "0x1", "1."]
)
def test_B10_a_price_that_cannot_be_kept_exactly_is_refused(price: str) -> None:
    found = problem(GOOD + f"[[models]]\nid='a'\nprice = {{ input = '{price}', output = '1' }}")
    assert found.key == "models[0].price.input"
    for number in ("nan", "1.5", "true"):
        assert problem(GOOD + f"[[models]]\nid='a'\nprice = {{ input = {number}, output = '1' }}").key


def test_a_folder_that_is_not_there_is_no_problem(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "none", wires=WIRES)
    catalogue.refresh()
    assert catalogue.problems == []
    assert len(catalogue.all()) == 12


def test_a_number_that_python_does_not_read_spoils_its_own_file_only(tmp_path: Path, catalogue: Catalogue) -> None:
    """tomllib lets the ValueError of a number of over 4300 digits through."""
    (tmp_path / "acme.toml").write_text(GOOD)
    (tmp_path / "long.toml").write_text(GOOD + "context = " + "9" * 5000)
    catalogue.refresh()
    assert catalogue.get("acme").name == "Acme AI"
    assert [str(problem) for problem in catalogue.problems] == ["long.toml: holds a number that is too long"]
