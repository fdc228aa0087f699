"""What may be sent, and what is said when it may not."""

from __future__ import annotations

import pytest

from asking import KEY, asking
from ownkey.talk.errors import InvalidRequest
from ownkey.talk.secret import Secret
from ownkey.transport.request import KeyHeader, write_request


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer " + KEY + b"\r\nx-evil: 1"),
        (b"authorization", b"Bearer " + KEY + b"\n"),
        (b"authorization", b"Bearer " + KEY + b"\r"),
        (b"authorization", b"Bearer " + KEY + b"\r\n"),
        (b"authorization", b"Bearer " + KEY + b"\0"),
        (b"authorization", b"Bearer " + KEY + b"\x7f"),
        (b"authorization", b"Bearer " + KEY + "é".encode()),
        (b"authorization", b" " + KEY),
        (b"authorization", KEY + b" "),
        (b"authorization", b""),
        (b"authorization", b"a\tb"),
        (KEY + b"\r\nx", b"1"),
        (KEY + b": x\r\ny", b"1"),
        (b"", b"1"),
        (b"a b", b"1"),
        (b"a:", b"1"),
        ("ä".encode(), b"1"),
        (b"Host", b"evil.test"),
        (b"content-length", b"0"),
        (b"Transfer-Encoding", b"chunked"),
        (b"connection", b"close"),
        (b"Accept-Encoding", b"gzip"),
        (b"expect", b"100-continue"),
        (b"upgrade", b"h2c"),
        (b"cookie", b"a=b"),
        (b"proxy-authorization", b"Basic x"),
    ],
)
def test_E15_a_header_that_may_not_be_sent_is_refused_and_not_quoted(header: tuple[bytes, bytes]) -> None:
    for headers in ([header], [(b"x-a", b"1"), header], [header, (b"x-a", b"1")]):
        with pytest.raises(InvalidRequest) as caught:
            write_request(asking(80, headers=headers))
        assert KEY.decode() not in f"{caught.value} {caught.value.args} {caught.value.__context__}"


def test_headers_that_only_look_like_the_refused_ones_are_sent() -> None:
    headers = [(b"x-host", b"a"), (b"hosts", b"a  b"), (b"x-api-key", b"!~"), (b"OpenAI-Organization", b"org:1, x")]
    assert (
        b"x-host: a\r\nhosts: a  b\r\nx-api-key: !~\r\nOpenAI-Organization: org:1, x\r\n"
        in write_request(asking(80, headers=headers)).raw
    )


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"v1",
        b"http://evil.test/",
        b"/a b",
        b"/a\r\nx: y",
        b"/a\n",
        b"/a\0",
        b"/a#b",
        b"/\xc3\xa9",
        b"/a\\b",
        b'/"',
        b"*",
    ],
)
def test_E16_a_path_that_is_not_one_is_refused(target: bytes) -> None:
    with pytest.raises(InvalidRequest):
        write_request(asking(80, target=target))


@pytest.mark.parametrize("method", [b"", b"HEAD", b"CONNECT", b"get", b"GET /x HTTP/1.1\r\nx: y\r\n\r\nGET"])
def test_only_the_methods_of_providers_are_sent(method: bytes) -> None:
    with pytest.raises(InvalidRequest):
        write_request(asking(80, method=method))


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"])
def test_a_request_is_these_bytes(method: bytes) -> None:
    for body in (b"", b"abc"):
        length = b"" if method == b"GET" and not body else b"content-length: %d\r\n" % len(body)
        start = method + b" /a?b HTTP/1.1\r\nhost: a.test\r\naccept-encoding: identity\r\nconnection: keep-alive\r\n"
        for headers, lines in (((), b""), (((b"x-a", b"1"), (b"x-b", b"2")), b"x-a: 1\r\nx-b: 2\r\n")):
            out = asking(443, host="a.test", scheme="https", method=method, target=b"/a?b", body=body, headers=headers)
            assert write_request(out).raw == start + lines + length + b"\r\n" + body
            out.key = KeyHeader(b"authorization", b"Bearer ", Secret(KEY))
            assert write_request(out).raw == (
                start + lines + b"authorization: Bearer " + KEY + b"\r\n" + length + b"\r\n" + body
            )


@pytest.mark.parametrize(("name", "before"), [(b"host", b""), (b"x\r\ny", b""), (b"x", b"a\r\nb: "), (b"", b"")])
def test_E15_the_header_of_a_key_is_checked_like_the_others(name: bytes, before: bytes) -> None:
    with pytest.raises(InvalidRequest):
        write_request(asking(80, key=KeyHeader(name, before, Secret(KEY))))


def test_what_is_sent_shows_its_size_and_where_it_goes_only() -> None:
    out = asking(443, host="a.test", scheme="https")
    assert repr(out) == "Outgoing(POST https://a.test:443)"
    written = write_request(out)
    assert repr(written) == f"Written({len(written.raw)} bytes)"


def test_the_port_is_named_only_where_it_is_not_the_usual_one() -> None:
    assert b"\r\nhost: a.test\r\n" in write_request(asking(443, host="a.test", scheme="https")).raw
    assert b"\r\nhost: a.test:80\r\n" in write_request(asking(80, host="a.test", scheme="https")).raw


def test_a_request_does_not_show_its_headers() -> None:
    out = asking(443, host="a.test", scheme="https")
    assert KEY.decode() not in repr(out) + str(out) + f"{out}"
