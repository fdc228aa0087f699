"""The price catalogue: the same prices as genai-prices at every time, small and soon loaded."""

import math
import os
import stat
import subprocess
import sys
import time
import timeit
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

import genai_prices.types as genai
import msgspec
import pytest
from genai_prices.data import providers as sellers

from ownkey.catalog.load import Catalogue
from ownkey.catalog.manifest import Model, Price, Provider
from ownkey.spending.catalogue import Prices, owner_rates
from ownkey.spending.price import Rates, ceiling, cost
from ownkey.talk.errors import BadConfiguration
from ownkey.talk.reply import Usage

SHIPPED = Catalogue(wires=frozenset({"openai-chat", "anthropic-messages", "gemini"}))
TIMES = [
    datetime(2025, 1, 15, 12, tzinfo=UTC),
    datetime(2026, 8, 16, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 8, 17, tzinfo=UTC),
    datetime(2026, 11, 20, 2, tzinfo=UTC),
    datetime(2026, 11, 20, 5, tzinfo=UTC),
]
NOW = TIMES[-1]
TOKENS = {"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "requests_kcount"}
NOT_SEEN = {"web_searches_kcount", "storage_searches_kcount", "cache_audio_read_mtok", "input_audio_mtok"}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prices")


@pytest.fixture(scope="session")
def prices(cache: Path) -> Prices:
    return Prices.load(cache)


def seller(name: str, **more: object) -> Provider:
    return Provider(f"p-{name.replace('_', '-')}", name, "cloud", "openai-chat", "https://a", prices=name, **more)  # type: ignore[arg-type]


def listed() -> Iterator[tuple[genai.Provider, genai.ModelInfo]]:
    for provider in sellers:
        for model in provider.models:
            found = provider.find_model(model.id)
            if found is not None:
                yield provider, found


def theirs(model: genai.ModelInfo, provider: genai.Provider, usage: genai.Usage, at: datetime) -> Fraction:
    return Fraction(model.calc_price(usage, provider, genai_request_timestamp=at).total_price) * 10**9


@pytest.mark.parametrize("at", TIMES, ids=lambda at: at.isoformat())
def test_B13_every_model_costs_what_genai_prices_says_to_the_nano_dollar(prices: Prices, at: datetime) -> None:
    compared = 0
    for provider, model in listed():
        rates = prices.rates(seller(provider.id), model.id, at)
        wanted = {name for name, value in vars(model.get_prices(at)).items() if value is not None}
        if "input_mtok" not in wanted:
            free = not wanted and model.id.endswith(":free")
            assert rates == (Rates(input=0, output=0, source=rates.source) if rates and free else None)
            continue
        assert rates is not None, (provider.id, model.id)
        written = 777 if "output_mtok" in wanted else 0
        for sent, cached in ((1_003, 0), (200_000, 64_007), (200_001, 64_007), (1_000_003, 0)):
            exact = theirs(
                model, provider, genai.Usage(input_tokens=sent, output_tokens=written, cache_read_tokens=cached), at
            )
            amount = cost(rates, Usage(sent, written, cached_tokens=cached))
            assert amount >= exact
            if wanted <= TOKENS | NOT_SEEN:
                # A rate that is finer than a nano-dollar is itself rounded up.
                assert amount <= math.ceil(exact) + 3, (provider.id, model.id)
                compared += 1
    assert compared > 8_000


def test_U13_writes_to_a_cache_cost_what_genai_prices_says(prices: Prices) -> None:
    compared = 0
    for provider, model in listed():
        standard = model.get_prices(NOW)
        if standard.cache_write_1h_mtok is None or standard.cache_write_mtok is None:
            continue
        rates = prices.rates(seller(provider.id), model.id, NOW)
        assert rates is not None
        whole = {"input_tokens": 250_000, "output_tokens": 10, "cache_read_tokens": 1_000}
        parts = {"cache_write_tokens": 3_001, "cache_write_1h_tokens": 1_999}
        exact = theirs(model, provider, genai.Usage(**whole, **parts), NOW)
        usage = Usage(250_000, 10, cached_tokens=1_000, **parts)
        assert math.ceil(exact) <= cost(rates, usage) <= math.ceil(exact) + 3, (provider.id, model.id)
        compared += 1
    assert compared > 50


def test_U13_audio_costs_what_genai_prices_says(prices: Prices) -> None:
    for name, model_name in (
        ("openai", "gpt-audio"),
        ("google", "gemini-2.5-flash"),
        ("azure", "phi-4-multimodal-instruct"),
    ):
        provider = next(one for one in sellers if one.id == name)
        model = provider.find_model(model_name)
        rates = prices.rates(seller(name), model_name, NOW)
        assert model is not None
        assert rates is not None
        exact = theirs(model, provider, genai.Usage(input_tokens=1_000, output_tokens=50, input_audio_tokens=300), NOW)
        assert cost(rates, Usage(1_000, 50, input_audio_tokens=300)) == math.ceil(exact)


@pytest.mark.row("B18")
def test_gpt_4o_costs_0_0075_for_a_thousand_in_and_five_hundred_out(prices: Prices) -> None:
    rates = prices.rates(SHIPPED.get("openai"), "gpt-4o", NOW)
    assert rates is not None
    assert cost(rates, Usage(1_000, 500)) == 7_500_000


def test_every_model_that_ships_with_a_priced_provider_has_a_price(prices: Prices) -> None:
    # One chooses its model afterwards, one has ended.
    unknown = {"openrouter/auto", "deepseek-coder"}
    for provider in SHIPPED.all():
        for model in provider.models:
            known = prices.rates(provider, model.id, NOW) is not None
            assert known == (model.id not in unknown), (provider.id, model.id)


def test_an_alias_costs_what_its_model_costs(prices: Prices) -> None:
    anthropic = SHIPPED.get("anthropic")
    assert prices.rates(anthropic, "claude-haiku-4", NOW) == prices.rates(anthropic, "claude-haiku-4-5", NOW)


def test_B14_an_unknown_model_has_no_price_and_is_never_free(prices: Prices) -> None:
    for name in ("no-such-model", "", "gpt-99-x", "a" * 256, "whisper-1"):
        assert prices.rates(SHIPPED.get("openai"), name, NOW) is None
    nameless = Provider("acme", "Acme", "cloud", "openai-chat", "https://a", models=(Model("m"),))
    assert prices.rates(nameless, "m", NOW) is None


def test_a_free_provider_costs_nothing_whatever_the_model(prices: Prices) -> None:
    for name in ("ollama", "lmstudio", "demo"):
        rates = prices.rates(SHIPPED.get(name), "anything", NOW)
        assert rates is not None
        assert cost(rates, Usage(10**9, 10**9)) == 0


def test_the_owner_s_price_goes_before_the_catalogue_s(prices: Prices) -> None:
    mine = seller("openai", models=(Model("gpt-4o", price=Price("1", "2", cached="0.000000001")),))
    rates = prices.rates(mine, "gpt-4o", NOW)
    assert rates is not None
    assert (rates.input, rates.output, rates.cached, rates.source) == (10**9, 2 * 10**9, 1, "owner")
    # A manifest that was read anew is another object: what was remembered of the old one is forgotten.
    dearer = seller("openai", models=(Model("gpt-4o", price=Price("3", "4")),))
    again = prices.rates(dearer, "gpt-4o", NOW)
    assert again is not None
    assert again.input == 3 * 10**9


def test_a_deployment_is_priced_as_its_model(prices: Prices) -> None:
    azure = seller("azure", models=(Model("team-gpt", priced_as="gpt-4o"),))
    assert prices.rates(azure, "team-gpt", NOW) == prices.rates(SHIPPED.get("azure"), "gpt-4o", NOW)


@pytest.mark.parametrize("price", ["NaN", "-1", "1e-12", "1e400", "99999999", "Infinity", "0.0000000001"])
def test_B10_an_owner_s_price_that_cannot_be_kept_is_refused(price: str) -> None:
    for given in (
        Price(price, "1"),
        Price("1", price),
        Price("1", "1", cached=price),
        Price("1", "1", cache_write=price),
    ):
        with pytest.raises(ValueError, match="plain dollars"):
            owner_rates(given)


def test_a_price_changes_at_midnight_utc_of_its_date(prices: Prices) -> None:
    deepseek = SHIPPED.get("deepseek")
    before = prices.rates(deepseek, "deepseek-v4-flash", datetime(2026, 8, 16, 23, 59, 59, 999_999, tzinfo=UTC))
    after = prices.rates(deepseek, "deepseek-v4-flash", datetime(2026, 8, 17, tzinfo=UTC))
    assert before is not None
    assert after is not None
    assert (before.input, before.dated) == (140_000_000, None)
    assert (after.input, after.dated) == (220_000_000, "2026-08-17")
    # The same moment on a clock in Tokyo.
    tokyo = datetime(2026, 8, 17, 8, 59, 59, tzinfo=timezone(timedelta(hours=9)))
    assert prices.rates(deepseek, "deepseek-v4-flash", tokyo) == before


@pytest.mark.parametrize(
    ("hour", "minute", "input_rate"),
    [(0, 59, 150), (1, 0, 300), (3, 59, 300), (4, 0, 150), (5, 59, 150), (6, 0, 300), (9, 59, 300), (10, 0, 150)],
)
def test_deepseek_costs_double_at_its_busy_hours(prices: Prices, hour: int, minute: int, input_rate: int) -> None:
    rates = prices.rates(SHIPPED.get("deepseek"), "deepseek-flash", datetime(2026, 11, 20, hour, minute, tzinfo=UTC))
    assert rates is not None
    assert rates.input == input_rate * 1_000_000


def test_a_remembered_price_ends_when_it_does(prices: Prices) -> None:
    deepseek = SHIPPED.get("deepseek")
    start = datetime(2026, 8, 15, tzinfo=UTC)
    names = ["deepseek-v4-flash", "deepseek-v4-pro", "deepseek-flash"]
    for quarter in range(4 * 24 * 4):
        at = start + timedelta(minutes=15 * quarter)
        for name in names:
            provider = next(one for one in sellers if one.id == "deepseek")
            model = provider.find_model(name)
            rates = prices.rates(deepseek, name, at)
            assert model is not None
            assert rates is not None
            assert rates.input == Fraction(model.get_prices(at).input_mtok) * 10**9  # type: ignore[arg-type]


def test_B17_a_tier_s_edge_is_the_provider_s(prices: Prices) -> None:
    for provider, model, edge in (
        ("anthropic", "claude-sonnet-4-5", 200_000),
        ("gemini", "gemini-2.5-pro", 200_000),
        ("xai", "grok-4.3", 199_999),
    ):
        rates = prices.rates(SHIPPED.get(provider), model, NOW)
        assert rates is not None
        assert rates.line(edge).input == rates.input
        assert rates.line(edge + 1).input == 2 * rates.input
        jump = [ceiling(rates, input_tokens=sent, output_tokens=1_000) for sent in (edge, edge + 1)]
        assert jump[1] > jump[0]


def test_a_dearer_tier_of_service_has_its_price_from_its_date_and_only_where_it_is_asked_for(prices: Prices) -> None:
    openai = SHIPPED.get("openai")
    asked = {"service_tier": "priority"}
    dearer = prices.rates(openai, "gpt-4o", NOW, asked)
    assert dearer is not None
    assert (dearer.input, dearer.cached, dearer.output) == (4_250_000_000, 2_125_000_000, 17_000_000_000)
    plain = prices.rates(openai, "gpt-4o", NOW, {"service_tier": "auto"})
    assert plain == prices.rates(openai, "gpt-4o", NOW)
    early = prices.rates(openai, "gpt-4o", datetime(2026, 10, 11, 23, 59, tzinfo=UTC), asked)
    assert early == plain
    # Azure resells the model; what it would charge for that tier is not known from OpenAI's price.
    azure = SHIPPED.get("azure")
    assert prices.rates(azure, "gpt-4o", NOW, asked) == prices.rates(azure, "gpt-4o", NOW)
    provider = next(one for one in sellers if one.id == "anthropic")
    model = provider.find_model("claude-opus-5-5")
    assert model is not None
    fast = model.get_prices(NOW, {"speed": "fast"})
    ours = prices.rates(SHIPPED.get("anthropic"), "claude-opus-5-5", NOW, {"speed": "fast"})
    assert ours is not None
    assert ours.output == Fraction(fast.output_mtok) * 10**9  # type: ignore[arg-type]


def test_names_are_found_as_genai_prices_finds_them(prices: Prices) -> None:
    names = [
        "GPT-4o",
        "gpt-4o-2024-08-06",
        "gpt-5.2-20251211",
        "claude-sonnet-4-5-20250929",
        "o3-mini",
        "gpt-4o-2024-13-45",
    ]
    for name in ("openai", "anthropic", "azure", "google", "openrouter"):
        provider = next(one for one in sellers if one.id == name)
        for asked in names:
            found = provider.find_model(asked, all_providers=list(sellers))
            rates = prices.rates(seller(name), asked, NOW)
            assert (rates.source.rpartition(": ")[2] if rates else None) == (found.id if found else None), (name, asked)


def test_the_context_window_is_known_from_the_catalogue(prices: Prices) -> None:
    assert prices.context(SHIPPED.get("openai"), "gpt-4o") == 128_000
    assert prices.context(SHIPPED.get("openai"), "no-such-model") is None


def test_the_file_is_its_owner_s_alone_and_is_made_once(cache: Path, prices: Prices) -> None:
    (file,) = cache.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    made = file.stat().st_mtime_ns
    Prices.load(cache)
    assert file.stat().st_mtime_ns == made


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"\x81\xa6format\x63"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, cache: Path, prices: Prices, damage: bytes) -> None:
    (good,) = cache.iterdir()
    (tmp_path / good.name).write_bytes(damage)
    assert Prices.load(tmp_path).rates(SHIPPED.get("openai"), "gpt-4o", NOW) is not None
    assert (tmp_path / good.name).read_bytes() == good.read_bytes()


def test_a_file_of_another_version_is_not_taken(tmp_path: Path, cache: Path, prices: Prices) -> None:
    (good,) = cache.iterdir()
    other = msgspec.msgpack.decode(good.read_bytes()) | {"version": "0.0.1"}
    (tmp_path / good.name).write_bytes(msgspec.msgpack.encode(other))
    Prices.load(tmp_path)
    assert (tmp_path / good.name).read_bytes() == good.read_bytes()


def test_a_cache_that_cannot_be_written_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfiguration, match="price catalogue"):
        Prices.load(tmp_path / "file" / "cache")


def test_loading_is_quick_and_small_and_leaves_the_price_package_alone(cache: Path, prices: Prices) -> None:
    code = (
        "import sys, time, tracemalloc; from pathlib import Path; from ownkey.spending.catalogue import Prices;"
        "best = min(timed for timed in [(lambda b: (Prices.load(Path(sys.argv[1])), time.perf_counter() - b)[1])"
        "(time.perf_counter()) for _ in range(3)]);"
        "tracemalloc.start(); kept = Prices.load(Path(sys.argv[1]));"
        "print(best, tracemalloc.get_traced_memory()[1], 'genai_prices' in sys.modules, 'pydantic' in sys.modules)"
    )
    source = str(Path(__file__).parents[2] / "src")
    path = os.pathsep.join([source, *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-c", code, str(cache)], capture_output=True, text=True, env={"PYTHONPATH": path}
    )
    seconds, size, genai_loaded, pydantic_loaded = done.stdout.split()
    assert float(seconds) < 0.1
    assert int(size) < 10 << 20
    assert (genai_loaded, pydantic_loaded) == ("False", "False")


def test_a_remembered_price_is_answered_in_about_a_microsecond(prices: Prices) -> None:
    openai = SHIPPED.get("openai")
    prices.rates(openai, "gpt-4o", NOW)
    taken = min(timeit.repeat(lambda: prices.rates(openai, "gpt-4o", NOW), number=10_000, repeat=5)) / 10_000
    assert taken < 5e-6


def test_names_from_outside_do_not_fill_the_memory(prices: Prices) -> None:
    provider = seller("deepseek")
    for number in range(10_050):
        prices.rates(provider, f"unheard-of-{number}", NOW)
    assert prices.rates(provider, "deepseek-flash", NOW) is not None


def test_G11_no_expression_of_the_catalogue_is_slow_for_any_name(prices: Prices) -> None:
    text = "gpt-5.6-luna-" + "2026-01-01-" * 10_000
    for name in ("openai", "openrouter", "anthropic", "x-ai", "google"):
        began = time.thread_time()
        assert prices.rates(seller(name), text, NOW) is None
        assert time.thread_time() - began < 1
