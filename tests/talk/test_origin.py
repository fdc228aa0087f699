"""One reading of a base URL, or none."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.talk.errors import EndpointNotAllowed
from ownkey.talk.origin import Origin

GOOD = {
    "https://api.openai.com": ("https://api.openai.com:443", ""),
    "https://api.openai.com/": ("https://api.openai.com:443", ""),
    "https://api.openai.com/v1": ("https://api.openai.com:443", "/v1"),
    "https://api.openai.com/v1/": ("https://api.openai.com:443", "/v1"),
    "HTTPS://API.OpenAI.com:443/v1": ("https://api.openai.com:443", "/v1"),
    "https://api.openai.com:8443/openai/deployments/a": ("https://api.openai.com:8443", "/openai/deployments/a"),
    "https://a-b.c_d.example/v1beta/models:x": ("https://a-b.c_d.example:443", "/v1beta/models:x"),
    "http://localhost:11434": ("http://localhost:11434", ""),
    "http://ollama:11434/v1": ("http://ollama:11434", "/v1"),
    "http://127.0.0.1:8080/v1": ("http://127.0.0.1:8080", "/v1"),
    "http://192.168.1.10": ("http://192.168.1.10:80", ""),
    "http://[::1]:8080/v1": ("http://[::1]:8080", "/v1"),
    "https://[2001:DB8:0:0::1]": ("https://[2001:db8::1]:443", ""),
    "https://bücher.example/v1": ("https://xn--bcher-kva.example:443", "/v1"),
    "https://BÜCHER.example/v1": ("https://xn--bcher-kva.example:443", "/v1"),
    "https://xn--bcher-kva.example": ("https://xn--bcher-kva.example:443", ""),
    "https://пример.example": ("https://xn--e1afmkfd.example:443", ""),
    "https://例え.example": ("https://xn--r8jz45g.example:443", ""),
    "https://3com.example": ("https://3com.example:443", ""),
    "inside://demo": ("inside://demo", ""),
    "inside://demo/v1": ("inside://demo", "/v1"),
}

BAD = [
    # not a URL, or of another scheme
    *(
        "",
        " ",
        "api.openai.com",
        "//api.openai.com",
        "/v1",
        "https:",
        "https:/",
        "https://",
        "https:///v1",
        "https:a.test",
    ),
    *("https:/a.test", "https:\\\\a.test", "file:///etc/passwd", "file://a.test/x", "gopher://a.test", "ftp://a.test"),
    *(
        "unix:///run/x.sock",
        "http+unix://%2Frun%2Fx",
        "data:text/plain,x",
        "javascript:alert(1)",
        "ws://a.test",
        "dict://a",
    ),
    *("ldap://a.test", "jar:https://a.test!/", "https2://a.test", "httpſ://a.test", "view-source:https://a.test"),
    # blanks, controls, backslashes
    *(
        " https://a.test",
        "https://a.test ",
        "https://a.test\n",
        "\thttps://a.test",
        "https://a.te\tst",
        "https://a.test\r\nx",
    ),
    *(
        "https://a.test/\x00",
        "https://a.test\x00.b.test",
        "https://a .test",
        "https://a.test/a b",
        "https://a.test\\@b.test",
    ),
    *("https://a.test\\.b.test", "https:\\a.test", "https://a.test/\\b", "https://a.test\x7f", "https://a.test\x85"),
    *(
        "https://a.test\u2028",
        "https://a.test\u00a0",
        "https://a.test\ufeff",
        "\ufeffhttps://a.test",
        "https://a\u200b.test",
    ),
    # users, queries, fragments
    *("https://u@a.test", "https://u:p@a.test", "https://:p@a.test", "https://@a.test", "https://u@b@a.test"),
    *("https://a.test@b.test", "https://a.test:80@b.test", "https://a.test%40b.test", "https://a.test:80%40b.test"),
    *("https://a.test#@b.test", "https://a.test#x", "https://a.test/#", "https://a.test?x", "https://a.test/v1?a=b"),
    *("https://a.test?@b.test", "https://a.test/?", "https://a.test/v1#f", "https://a.test;@b.test"),
    # ports
    *("https://a.test:", "https://a.test:/", "https://a.test:0", "https://a.test:00443", "https://a.test:0443"),
    *(
        "https://a.test:65536",
        "https://a.test:99999",
        "https://a.test:-1",
        "https://a.test:+443",
        "https://a.test:4 43",
    ),
    *(
        "https://a.test:443:443",
        "https://a.test:x",
        "https://a.test:0x1bb",
        "https://a.test:４４３",
        "https://a.test:1e3",
    ),
    *("https://a.test:21", "https://a.test:22", "https://a.test:23", "https://a.test:25", "https://a.test:53"),
    *("https://a.test:110", "https://a.test:143", "https://a.test:465", "https://a.test:587", "https://a.test:2375"),
    *(
        "https://a.test:3306",
        "https://a.test:5432",
        "https://a.test:6379",
        "https://a.test:11211",
        "https://a.test:27017",
    ),
    "inside://demo:80",
    # numbers that are addresses to some
    *(
        "http://127.1",
        "http://127.0.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0x7f.0.0.1",
        "http://0177.0.0.1",
    ),
    *(
        "http://017700000001",
        "http://0",
        "http://0.0.0.0.0",
        "http://256.0.0.1",
        "http://127.0.0.01",
        "http://1.2.3.4.5",
    ),
    *(
        "http://127.0.0.1.",
        "http://0x",
        "http://a.0x7f",
        "http://a.1",
        "http://1.2.3",
        "http://127.0.0.0x1",
        "http://00.0.0.0",
    ),
    *("http://①②⑦.⓪.⓪.①", "http://１２７.0.0.1", "http://127。0。0。1", "http://127．0.0.1", "http://١٢٧.0.0.1"),
    # IPv6
    *("http://::1", "http://::1:80", "http://[]", "http://[::1", "http://::1]", "http://[::1]x", "http://[::1].a.test"),
    *(
        "http://[::1%25lo]",
        "http://[fe80::1%eth0]",
        "http://[::g]",
        "http://[1:2]",
        "http://[127.0.0.1]",
        "http://[v1.x]",
    ),
    *("http://[::1]]", "http://[[::1]]", "http://[::ffff:127.1]", "http://a[::1]", "http://[:::1]"),
    # names
    *(
        "https://a.test.",
        "https://.a.test",
        "https://a..test",
        "https://.",
        "https://..",
        "https://-a.test",
        "https://a-.test",
    ),
    *("https://a,b.test", "https://a!b.test", "https://*.test", "https://a'b", "https://{x}.test", "https://a+b.test"),
    *("https://$HOST", "https://%61.test", "https://a%2etest", "https://a%00.test", "https://" + "a" * 64 + ".test"),
    *("https://" + "a." * 130 + "test", "https://ⓛocalhost", "https://ⓐpi.openai.com", "https://api。openai。com"),
    *(
        "https://ſtraße.test",
        "https://deepsee\u212a.test",
        "https://ﬀ.test",
        "https://straße.test",
        "https://a\u00ad.test",
        "https://a\u200d.test",
    ),
    *(
        "https://℀.test",
        "https://a／b.test",
        "https://a＃b.test",
        "https://a？b.test",
        "https://a：80.test",
        "https://a＠b.test",
    ),
    *("https://xn--.test", "https://xn--a.test", "https://xn--zzzzzzzz99999.test", "https://XN--BCHER-KVA\u0308.test"),
    # paths
    *(
        "https://a.test/../x",
        "https://a.test/a/..",
        "https://a.test/./x",
        "https://a.test/a//b",
        "https://a.test//",
        "https://a.test/v1//",
    ),
    *(
        "https://a.test/%2e%2e/x",
        "https://a.test/a%2fb",
        "https://a.test/a%5cb",
        "https://a.test/ä",
        "https://a.test/{x}",
    ),
    *("https://a.test/a|b", "https://a.test/<x>", 'https://a.test/"', "https://a.test/^", "https://a.test/`"),
]


@pytest.mark.parametrize("url", GOOD)
def test_a_base_url_gives_its_origin_and_its_path(url: str) -> None:
    origin, path = Origin.parse(url)
    assert (str(origin), path) == GOOD[url]
    assert Origin.parse(str(origin) + path) == (origin, path)


@pytest.mark.parametrize("url", BAD)
def test_E05_a_base_url_that_two_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(EndpointNotAllowed) as caught:
        Origin.parse(url)
    assert caught.value.param == "base_url"
    assert len(url) < 9 or url not in str(caught.value)


def test_E05_a_password_in_a_base_url_is_refused_and_not_quoted() -> None:
    with pytest.raises(EndpointNotAllowed, match="a user name or a password") as caught:
        Origin.parse("https://user:hunter22hunter22@api.example.com/v1")
    assert "hunter" not in str(caught.value)


WORDS = r"https http :// : / // \ @ # ? [ ] ::1 a b.test 127.0.0.1 443 0 %40 %2f . .. ü 。 ① - xn--bcher-kva & ; ="
PIECES = st.sampled_from([*WORDS.split(" "), " ", "\t", "\0"])


@given(
    st.one_of(
        st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=9).map(lambda p: "https://" + "".join(p))
    )
)
def test_E10_what_is_read_is_what_the_standard_library_reads(url: str) -> None:
    try:
        origin, path = Origin.parse(url)
    except EndpointNotAllowed:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.query, parts.fragment, parts.username) == (origin.scheme, "", "", None)
    assert parts.port in (origin.port, None)
    assert origin.host.isascii()
    assert parts.path.rstrip("/") == path
    assert Origin.parse(str(origin) + path) == (origin, path)
