"""The page as it is served: its files, its views, and what is neither."""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import Answer, Gateway, Simulator, library
from inside import inside
from ownkey.server.pages import VIEWS, Pages, coding, read

SCRIPT = b"export const page = 'of a test';\n" * 20
INDEX = (
    b"""<!doctype html><meta property="csp-nonce" nonce="__OWNKEY_NONCE__"><script nonce="__OWNKEY_NONCE__"></script>"""
)
SECRET = b"outside of the folder"
BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
PUBLIC = "https://ownkey.example.com"


def built(folder: Path) -> Path:
    """A folder as the build leaves it."""
    files = {
        "index.html": INDEX,
        "favicon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "manifest.webmanifest": b"{}",
        "scheme.js": b"1;",
        "assets/app-A1b2.js": SCRIPT,
        "assets/app-A1b2.js.br": b"as if by brotli",
        "assets/app-A1b2.js.gz": gzip.compress(SCRIPT),
        "assets/app-A1b2.css": b"body{}",
        "assets/inter-C3.woff2": b"wOF2",
        "assets/odd name.png": b"png",
        ".built": b"of these sources",
    }
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    (folder.parent / "outside.txt").write_bytes(SECRET)
    (folder / "assets" / "link.txt").symlink_to(folder.parent / "outside.txt")
    return folder


@pytest.fixture(scope="module")
def page(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("page")
    with library(place / "home") as ownkey, inside(ownkey, simulator, Pages(built(place / "built"))) as here:
        yield here.gateway


@pytest.fixture(scope="module")
def unbuilt(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    place = tmp_path_factory.mktemp("unbuilt")
    with library(place / "home") as ownkey, inside(ownkey, simulator, Pages(place / "page")) as here:
        yield here.gateway


def get(page: Gateway, path: str, method: str = "GET", **headers: str) -> Answer:
    """`headers` by their names with underlines."""
    return page.send(method, path, None, {name.replace("_", "-"): value for name, value in headers.items()})


def raw(page: Gateway, target: str) -> bytes:
    """The whole answer to exactly this target, as a browser would ask for it."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=30) as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize("view", [*VIEWS, "/settings/byok/openai", "/usage/run_1/tries", "/chat/", "/chat/a%20b"])
def test_a_view_is_the_page_under_a_policy_that_lets_nothing_else_in(page: Gateway, view: str) -> None:
    answer = page.send("GET", view, None, BROWSER)
    [nonce] = set(re.findall(rb'nonce="([A-Za-z0-9_-]{22})"', answer.body))
    assert answer.status == 200
    assert answer.body == INDEX.replace(b"__OWNKEY_NONCE__", nonce)
    assert answer.headers["content-security-policy"] == (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce.decode()}'; img-src 'self' blob:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    )
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "clipboard-write=(self)" in answer.headers["permissions-policy"]


def test_W05_no_two_views_have_the_same_nonce(page: Gateway) -> None:
    nonces = {re.findall(rb'nonce="([^"]+)"', get(page, "/").body)[0] for _ in range(50)}
    assert len(nonces) == 50


@pytest.mark.parametrize(
    ("path", "kind", "kept"),
    [
        ("/assets/app-A1b2.js", "text/javascript; charset=utf-8", True),
        ("/assets/app-A1b2.css", "text/css; charset=utf-8", True),
        ("/assets/inter-C3.woff2", "font/woff2", True),
        ("/assets/odd%20name.png", "image/png", True),
        ("/favicon.svg", "image/svg+xml", False),
        ("/manifest.webmanifest", "application/manifest+json", False),
        ("/scheme.js", "text/javascript; charset=utf-8", False),
    ],
)
def test_a_file_whose_name_tells_what_it_holds_is_kept_for_a_year_and_the_others_are_asked_for_again(
    page: Gateway, path: str, kind: str, kept: bool
) -> None:
    answer = get(page, path)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    wanted = "public, max-age=31536000, immutable" if kept else "no-cache"
    assert answer.headers["cache-control"] == wanted
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip;q=0.8", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("BR ; q=1.0", "br"),
        ("*", "br"),
        ("br;q=0, *;q=0.1", "gzip"),
        ("gzip;q=0, br;q=0.000", ""),
        ("identity, gzip;q=0.5", ""),
        ("identity;q=0.2, gzip;q=0.5", "gzip"),
        ("gzip;q=2", ""),
        ("gzip;q=nan, br;q=-1", ""),
        ("deflate", ""),
        ("", ""),
    ],
)
def test_a_file_comes_in_the_coding_that_its_client_likes_best(page: Gateway, said: str, wanted: str) -> None:
    answer = get(page, "/assets/app-A1b2.js", Accept_Encoding=said)
    bodies = {"br": b"as if by brotli", "gzip": gzip.compress(SCRIPT), "": SCRIPT}
    assert answer.headers.get("content-encoding", "") == wanted
    assert gzip.decompress(answer.body) == SCRIPT if wanted == "gzip" else answer.body == bodies[wanted]
    assert get(page, "/assets/app-A1b2.css", Accept_Encoding=said).body == b"body{}"


def test_of_codings_that_are_liked_alike_the_first_is_taken() -> None:
    assert coding(b"gzip, br", (b"br", b"gzip")) == b"br"
    assert coding(b"gzip, br", (b"gzip", b"br")) == b"gzip"
    assert coding(b"gzip, br", ()) == b""


def test_what_a_browser_has_already_is_not_sent_again(page: Gateway) -> None:
    path = "/assets/app-A1b2.js"
    plain, coded = get(page, path), get(page, path, Accept_Encoding="br")
    etag = plain.headers["etag"]
    assert etag != coded.headers["etag"]
    for said in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = get(page, path, If_None_Match=said)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
        assert answer.headers["cache-control"] == plain.headers["cache-control"]
        assert answer.headers["vary"] == "accept-encoding"
    for said in ('"other"', coded.headers["etag"], "", etag.strip('"')):
        assert get(page, path, If_None_Match=said).status == 200


def test_HEAD_measures_and_sends_nothing(page: Gateway) -> None:
    for path in ("/", "/assets/app-A1b2.js", "/favicon.svg"):
        whole, head = get(page, path), get(page, path, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == whole.headers["content-length"] == str(len(whole.body))


def test_the_page_answers_no_other_method(page: Gateway) -> None:
    for path in ("/", "/chat/a", "/assets/app-A1b2.js"):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            refused = get(page, path, method)
            assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


def test_a_browser_is_told_by_the_page_that_there_is_nothing_and_a_program_in_json(page: Gateway) -> None:
    for path in ("/nothing", "/assets/gone-A1.js", "/chats", "/index.html", "/assets/", "/assets/app-A1b2.js.br"):
        shown = page.send("GET", path, None, BROWSER)
        assert (shown.status, shown.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "'nonce-" in shown.headers["content-security-policy"]
        for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
            assert page.send("GET", path, None, headers).error["code"]
    for path in ("/v1/nothing", "/v1", "/v1beta/nothing", "/api/nothing", "/health/nothing"):
        answer = page.send("GET", path, None, BROWSER)
        assert (answer.status, answer.headers["content-type"]) == (404, "application/json")


TRAVERSALS = (
    *("/../outside.txt", "/assets/../../outside.txt", "/assets/..%2f..%2foutside.txt", "/%2e%2e/outside.txt"),
    *("/assets/%2e%2e/%2e%2e/outside.txt", "/assets/..%5c..%5coutside.txt", "/assets/....//....//outside.txt"),
    *("//outside.txt", "/assets//etc/passwd", "/assets/%00", "/assets/app-A1b2.js%00", "/assets/app-A1b2.js/"),
    *("/assets/link.txt", "/.built", "/assets/.", "/./favicon.svg", "/assets/%61pp-A1b2.js", "/favicon.svg/../x"),
    *("http://127.0.0.1/../outside.txt", "/assets/\xff"),
)


@pytest.mark.parametrize("target", TRAVERSALS)
def test_W16_no_path_leads_out_of_the_page(page: Gateway, target: str) -> None:
    answer = raw(page, target)
    assert answer.split(b" ", 2)[1] in (b"400", b"404")
    assert SECRET not in answer
    assert b"of these sources" not in answer


def test_W01_the_page_is_shown_at_no_name_that_is_not_this_machines(page: Gateway) -> None:
    for path in ("/", "/assets/app-A1b2.js", "/nothing"):
        for host in ("evil.test", "127.0.0.1.evil.test", f"evil.test:{page.port}"):
            refused = page.send("GET", path, None, BROWSER | {"Host": host})
            assert (refused.status, refused.headers["content-type"]) == (421, "application/json")
        assert get(page, path, Host=f"localhost:{page.port}").status in (200, 404)


def test_the_page_is_shown_at_the_public_address_too(simulator: Simulator, tmp_path: Path) -> None:
    pages = Pages(built(tmp_path / "built"))
    with library(tmp_path / "home", public_url=PUBLIC) as ownkey, inside(ownkey, simulator, pages) as here:
        assert get(here.gateway, "/chat", Host="ownkey.example.com").status == 200
        assert get(here.gateway, "/assets/app-A1b2.js", Host="ownkey.example.com").body == SCRIPT
        assert get(here.gateway, "/chat", Host="elsewhere.example.com").status == 421


def test_where_there_is_no_page_a_browser_is_told_how_to_build_it(unbuilt: Gateway) -> None:
    for view in ("/", "/settings/byok", "/chat/a"):
        answer = unbuilt.send("GET", view, None, BROWSER)
        assert (answer.status, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert b"npm --prefix web ci &amp;&amp; npm --prefix web run build" in answer.body
        assert b"make run" in answer.body
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    for path in ("/nothing", "/assets/app-A1b2.js"):
        assert unbuilt.send("GET", path, None, BROWSER).error["code"]
    assert unbuilt.send("GET", "/health", None, BROWSER).json == {"status": "ok"}


def test_a_page_that_was_built_meanwhile_is_shown_without_a_new_start(simulator: Simulator, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    with library(tmp_path / "home") as ownkey, inside(ownkey, simulator, Pages(folder)) as here:
        assert get(here.gateway, "/").status == 503
        built(folder)
        assert get(here.gateway, "/").status == 200


def test_W16_what_a_link_leads_to_and_what_is_hidden_is_no_part_of_a_build(tmp_path: Path) -> None:
    found = read(built(tmp_path / "built"))
    assert found is not None
    assert sorted(found.files) == [
        "/assets/app-A1b2.css",
        "/assets/app-A1b2.js",
        "/assets/inter-C3.woff2",
        "/assets/odd%20name.png",
        "/favicon.svg",
        "/manifest.webmanifest",
        "/scheme.js",
    ]
