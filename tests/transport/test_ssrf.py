"""Whatever a person or a file gives as an address: no socket is opened to what is inside."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from answering import answering
from canaries import canary
from house import KEYS, make_home
from ownkey import Ownkey
from ownkey.app.channels import channels
from ownkey.cli.main import app
from ownkey.store.posting import Alert
from ownkey.talk.errors import BadConfiguration, EndpointNotAllowed, InvalidRequest, NetworkError, OwnkeyError
from ownkey.talk.origin import Origin
from scripted import answer
from ssrf import ANSWERS, FORMS, INSIDE, V6, leads_to
from watch import Watch, watching

KEY = KEYS["openai"]
REFUSED = (EndpointNotAllowed, InvalidRequest, BadConfiguration)
_models = itertools.count(1)
PUBLIC = "93.184.215.14"
ALERT = Alert("test:1", "test", "owner", None, "A test.", "{}", 1_795_219_200_000)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("egress") / "home"
    make_home(home)
    with_key = Ownkey(home, keychain=False)
    with_key.keys.set("openai", KEY)
    with_key.close()
    return home


@pytest.fixture
def watch() -> Iterator[Watch]:
    with watching(leads_to) as watch:
        yield watch


def forms(family: str, watch: Watch) -> list[str]:
    return [form.replace("{port}", str(watch.port)).replace("{{}}", "{}") for form in FORMS[family]]


def nothing_left(watch: Watch) -> None:
    assert watch.connects == []
    assert watch.accepted == []


async def refused(ownkey: Ownkey, provider: str) -> None:
    """Nothing is sent for this provider, whichever way it is asked."""
    # What was found for a model's name is kept for a second.
    model = f"{provider}/model-{next(_models)}"
    for asked in (
        ownkey.keys.test(provider),
        ownkey.providers.refresh_models(provider),
        ownkey.chat("Hello", model, accept_unknown_price=True),
    ):
        with pytest.raises(REFUSED) as caught:
            await asked
        assert KEY not in str(caught.value)


@pytest.mark.parametrize("family", FORMS)
def test_E05_E06_an_endpoint_that_leads_inwards_opens_no_socket(family: str, home: Path, watch: Watch) -> None:
    async def main() -> None:
        async with Ownkey(home, keychain=False) as ownkey:
            for url in forms(family, watch):
                try:
                    ownkey.providers.set("openai", endpoint=url)
                    ownkey.keys.set("openai", KEY)
                except REFUSED:
                    continue
                await refused(ownkey, "openai")

    asyncio.run(main())
    nothing_left(watch)


async def told(ownkey: Ownkey, given: dict[str, Any]) -> None:
    """An alert is sent as these settings have it."""
    settings = Ownkey(ownkey.settings.home, keychain=False, **given).settings
    (channel,) = channels(settings, ownkey.house.transport)
    await channel.send(ALERT)


@pytest.mark.parametrize("family", FORMS)
def test_E05_E20_a_webhook_and_a_mail_server_that_lead_inwards_open_no_socket(
    family: str, home: Path, watch: Watch
) -> None:
    async def main() -> None:
        async with Ownkey(home, keychain=False) as ownkey:
            for url in forms(family, watch):
                place = url.partition("://")[2].partition("/")[0]
                for given in (
                    {"alert_webhook_url": url, "alert_webhook_secret": canary("webhook elsewhere", "")},
                    {"smtp_url": f"smtps://{place}", "alert_email_to": ["me@example.com"]},
                    {"smtp_url": f"smtp://{place}", "alert_email_to": ["me@example.com"]},
                ):
                    with pytest.raises(REFUSED):
                        await told(ownkey, given)

    asyncio.run(main())
    nothing_left(watch)


def manifest(url: str, kind: str) -> bytes:
    return f"""
        id = "evil"
        name = "Evil AI"
        kind = "{kind}"
        wire = "openai-chat"
        base_url = {json.dumps(url, ensure_ascii=False)}
        auth = {{ header = "authorization", scheme = "Bearer" }}
        [[models]]
        id = "gpt-4o"
    """.encode()


async def added_and_refused(ownkey: Ownkey, url: str, kind: str) -> None:
    try:
        ownkey.providers.add(manifest(url, kind), "evil.toml")
        ownkey.keys.set("evil", KEY)
    except REFUSED:
        return
    await refused(ownkey, "evil")


@pytest.mark.parametrize("family", FORMS)
def test_E05_a_providers_file_that_leads_inwards_opens_no_socket(family: str, home: Path, watch: Watch) -> None:
    async def main() -> None:
        async with Ownkey(home, keychain=False) as ownkey:
            for url in forms(family, watch):
                await added_and_refused(ownkey, url, "cloud")

    asyncio.run(main())
    nothing_left(watch)


def test_E06_a_file_of_a_local_provider_does_not_lead_to_a_clouds_metadata(home: Path, watch: Watch) -> None:
    places = [address for address in INSIDE if address.startswith(("169.", "100.", "168.", "192.0.0"))]
    hosts = [*places, "metadata.google.internal", "metadata.goog", "instance-data", "[fd00:ec2::254]", "[fd20:ce::254]"]
    hosts += [V6[name](address) for name in ("v4-mapped", "v4-compatible", "NAT64", "6to4") for address in places]
    assert len(set(hosts)) >= 25

    async def main() -> None:
        async with Ownkey(home, keychain=False) as ownkey:
            for host in hosts:
                for scheme in ("http", "https"):
                    await added_and_refused(ownkey, f"{scheme}://{host}:{watch.port}/v1", "local")

    asyncio.run(main())
    nothing_left(watch)


@pytest.mark.parametrize("family", FORMS)
def test_E05_the_command_opens_no_socket_either(family: str, home: Path, watch: Watch) -> None:
    shell = CliRunner(env={"OWNKEY_HOME": str(home), "OWNKEY_KEYCHAIN": "off"})

    def told(*arguments: str, given: str | None = None) -> BaseException | None:
        return shell.invoke(app, arguments, input=given).exception

    url = forms(family, watch)[0]
    was_set = told("providers", "set", "openai", "--endpoint", url)
    if was_set is None and told("keys", "set", "openai", "--no-check", given=KEY) is None:
        assert isinstance(told("keys", "set", "openai", given=KEY), REFUSED)
        assert isinstance(told("keys", "test", "openai"), REFUSED)
        assert isinstance(told("chat", "Hello", "-m", "openai/gpt-4o"), REFUSED)
    else:
        assert isinstance(was_set, REFUSED)
    nothing_left(watch)


@pytest.mark.parametrize("what", ANSWERS)
def test_E07_a_name_one_of_whose_answers_is_inside_opens_no_socket(what: str, home: Path) -> None:
    async def main(watch: Watch) -> None:
        async with Ownkey(home, keychain=False) as ownkey:
            ownkey.providers.set("openai", endpoint=f"https://api.example.com:{watch.port}/v1")
            ownkey.keys.set("openai", KEY)
            with pytest.raises((EndpointNotAllowed, NetworkError)):
                await ownkey.keys.test("openai")
            assert watch.asked == ["api.example.com"]

    with watching(lambda _: ANSWERS[what]) as watch:
        asyncio.run(main(watch))
        nothing_left(watch)


def test_E08_a_name_that_turns_inwards_between_the_check_and_the_connection_gains_nothing(home: Path) -> None:
    turns = iter([[PUBLIC]] + [["127.0.0.1"]] * 100)

    async def main(watch: Watch) -> None:
        async with Ownkey(home, keychain=False, retries=0) as ownkey:
            ownkey.providers.set("openai", endpoint=f"https://rebind.example.com:{watch.port}/v1")
            ownkey.keys.set("openai", KEY)
            with pytest.raises(NetworkError):
                await ownkey.keys.test("openai")
            assert watch.connects == [(PUBLIC, watch.port)]
            with pytest.raises(EndpointNotAllowed):
                await ownkey.keys.test("openai")
            assert watch.connects == [(PUBLIC, watch.port)]

    with watching(lambda _: next(turns)) as watch:
        asyncio.run(main(watch))
        assert watch.accepted == []


@pytest.mark.parametrize("family", FORMS)
def test_E11_what_is_allowed_is_the_place_that_was_named_and_no_other_form_of_it(
    family: str, home: Path, watch: Watch
) -> None:
    async def main() -> None:
        async with Ownkey(home, keychain=False, allow_private_hosts=[("127.0.0.1", watch.port)]) as ownkey:
            for url in forms(family, watch):
                before = len(watch.connects)
                try:
                    ownkey.providers.set("openai", endpoint=url)
                    ownkey.keys.set("openai", KEY)
                    origin, _ = Origin.parse(url)
                except REFUSED:
                    continue
                with pytest.raises(OwnkeyError):
                    await ownkey.keys.test("openai")
                named = (origin.host, origin.port) == ("127.0.0.1", watch.port)
                assert watch.connects[before:] == [("127.0.0.1", watch.port)] * (len(watch.connects) - before)
                assert (len(watch.connects) > before) == named, url

    asyncio.run(main())


def test_E11_a_name_that_is_allowed_does_not_lead_to_a_clouds_metadata(home: Path) -> None:
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"):

        async def main(watch: Watch) -> None:
            allowed = [("box.lan", watch.port), ("169.254.169.254", watch.port)]
            async with Ownkey(home, keychain=False, allow_private_hosts=allowed, retries=0) as ownkey:
                for host, tried in (("box.lan", 0), ("169.254.169.254", 1)):
                    ownkey.providers.set("openai", endpoint=f"http://{host}:{watch.port}/v1")
                    ownkey.keys.set("openai", KEY)
                    with pytest.raises(NetworkError if tried else EndpointNotAllowed):
                        await ownkey.keys.test("openai")
                    assert len(watch.connects) == tried

        with watching(lambda _, here=address: [here]) as watch:
            asyncio.run(main(watch))


def test_E18_an_open_port_and_a_closed_one_are_told_alike(home: Path, watch: Watch) -> None:
    """By what is said, and without a look: nothing is to be learned of what is inside by asking for it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]

    async def main() -> list[str]:
        said: list[str] = []
        async with Ownkey(home, keychain=False) as ownkey:
            for host in ("127.0.0.1", "box.lan", "10.0.0.1", "169.254.169.254"):
                for port in (watch.port, closed):
                    ownkey.providers.set("openai", endpoint=f"https://{host}:{port}/v1")
                    ownkey.keys.set("openai", KEY)
                    with pytest.raises(EndpointNotAllowed) as caught:
                        await ownkey.keys.test("openai")
                    said.append(f"{caught.value.code} {caught.value}".replace(str(port), "PORT").replace(host, "HOST"))
        return said

    assert len(set(asyncio.run(main()))) == 1
    nothing_left(watch)


SENT_ELSEWHERE = {
    **{
        str(status): answer(b"", status, "location: http://127.0.0.1:{port}/")
        for status in (300, 301, 302, 303, 307, 308)
    },
    "304": b"HTTP/1.1 304 Not Modified\r\nlocation: http://127.0.0.1:{port}/\r\n\r\n",
    "a relative place": answer(b"", 302, "location: //127.0.0.1:{port}/"),
    "a header": answer(b"{}", 200, "refresh: 0; url=http://127.0.0.1:{port}/", "link: <http://127.0.0.1:{port}/>"),
    "an alternative": answer(
        b"{}", 200, 'alt-svc: h2="127.0.0.1:{port}"', "content-location: http://127.0.0.1:{port}/"
    ),
    "a page": answer(
        b'<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">', 200, "content-type: text/html"
    ),
    "a proxy": answer(b"", 305, "location: http://127.0.0.1:{port}/"),
    "a login": answer(b"", 401, 'www-authenticate: Bearer realm="http://127.0.0.1:{port}/"'),
}


@pytest.mark.parametrize("what", SENT_ELSEWHERE)
def test_E09_a_provider_that_sends_elsewhere_is_not_followed(what: str, home: Path, watch: Watch) -> None:
    said = SENT_ELSEWHERE[what].replace(b"{port}", b"%d" % watch.port)

    async def main(place: tuple[str, int], url: str) -> None:
        async with Ownkey(
            home,
            keychain=False,
            allow_private_hosts=[place, ("127.0.0.1", watch.port)],
            retries=0,
            alert_webhook_url=f"{url}/v1/hook",
            alert_webhook_secret=canary("webhook elsewhere", ""),
        ) as ownkey:
            ownkey.providers.set("openai", endpoint=f"{url}/v1")
            ownkey.keys.set("openai", KEY)
            for asked in (ownkey.keys.test("openai"), ownkey.chat("Hello", "openai/gpt-4o")):
                with pytest.raises(OwnkeyError) as caught:
                    await asked
                assert str(watch.port) not in str(caught.value)
            (told,) = await ownkey.alerts.test()
            assert (told.error is None) == (b" 200 " in said[:13])

    paths = ("/v1/models", "/v1/chat/completions", "/v1/hook")
    with answering(dict.fromkeys(paths, said)) as provider:
        asyncio.run(main(("127.0.0.1", provider.port), provider.url))
        assert set(watch.connects) == {("127.0.0.1", provider.port)}
        assert watch.accepted == []


def naive(url: str) -> bool:
    """The guard that is often written: whether the host of the URL is no private address."""
    try:
        host = urlsplit(url).hostname or ""
        return not ip_address(host).is_private
    except ValueError:
        return True


def careful(url: str) -> bool:
    """The same after the name was looked up, which `inet_aton` reads generously."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        address = host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
        return not ip_address(address.partition("%")[0]).is_private
    except (OSError, ValueError):
        return False


def test_E05_E06_a_guard_of_is_private_alone_would_let_hundreds_of_these_through(home: Path) -> None:
    urls = {form.replace("{port}", "8443") for family in FORMS.values() for form in family}
    addresses = {address for answers in ANSWERS.values() for address in answers if address != "nonsense"}
    through, after_lookup = [sum(map(guard, urls)) for guard in (naive, careful)]
    answered = sum(":" in one and not ip_address(one.partition("%")[0]).is_private for one in addresses)
    print(f"{len(urls)} forms: is_private lets {through} through, with a lookup {after_lookup}; of answers {answered}")
    assert len(urls) >= 250
    assert through >= 250
    assert after_lookup >= 40
    assert answered >= 15


def test_E05_the_forms_of_the_corpus_are_different_ones() -> None:
    for family, urls in FORMS.items():
        assert len(set(urls)) == len(urls) > 0, family
    assert len({url for urls in FORMS.values() for url in urls}) >= 700
