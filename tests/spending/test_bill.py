"""A provider's bill: read whatever its columns are called, and compared with the book to the nano-dollar."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownkey.spending.bill import MOST_UNREAD, Bill, read_bill
from ownkey.spending.drift import Booked, Line, compare, farthest, name_key
from ownkey.talk.errors import InvalidRequest

FIRST = date(2026, 11, 1)

OPENAI = """\ufeffstart_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,line_item,p
1793491200,1793577600,2026-11-01T00:00:00+00:00,2026-11-02T00:00:00+00:00,,,,,
1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,0.00000450,usd,30,"gpt-4o-2024-08-06, input",p
1793577600,1793664000,2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,0.0000342,usd,57,"gpt-4o-2024-08-06, output",p
1793577600,1793664000,2026-11-02T00:00:00,2026-11-03T00:00:00,1e-6,usd,5,"priority | gpt-4o-2024-08-06, cached input",q
1793664000,1793750400,2026-11-03T00:00:00+00:00,2026-11-04T00:00:00+00:00,0.25,usd,,"gpt-audio-mini audio, output",p
1793664000,1793750400,2026-11-03T00:00:00+00:00,2026-11-04T00:00:00+00:00,0.01,usd,,web search tool calls,p
"""

ANTHROPIC = """usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,type
2026-11-02,Claude Haiku 4.5,Default,k,message,≤ 200k,input_no_cache,0.05,0.06,token
2026-11-02,Claude Haiku 4.5,Default,k,message,≤ 200k,output,0.02,0.02,token
2026-11-03,Claude Sonnet 4.5,Default,k,message,≤ 200k,input_cache_read,0.10,1.00,token
2026-11-03,,Default,k,,,,0.01,0.01,web_search
"""


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def test_openais_export_is_read_with_days_on_which_nothing_was_charged() -> None:
    bill = read_bill(lines(OPENAI))
    assert bill.charges == {
        (date(2026, 11, 2), "gpt-4o-2024-08-06"): 4_500 + 34_200 + 1_000,
        (date(2026, 11, 3), "gpt-audio-mini"): 250_000_000,
        (date(2026, 11, 3), "web search tool calls"): 10_000_000,
    }
    assert (bill.first, bill.last, bill.unread_rows) == (FIRST, date(2026, 11, 3), 0)


def test_anthropics_export_is_read_at_what_was_paid_and_not_at_list_prices() -> None:
    bill = read_bill(lines(ANTHROPIC))
    assert bill.charges == {
        (date(2026, 11, 2), "Claude Haiku 4.5"): 70_000_000,
        (date(2026, 11, 3), "Claude Sonnet 4.5"): 100_000_000,
        (date(2026, 11, 3), ""): 10_000_000,
    }


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_any_file_with_a_day_and_an_amount_is_a_bill(separator: str) -> None:
    text = f'\n\r\n Cost {separator}"DATE"\r\n$1.5{separator}2026-11-01\r\n\r\n-0.25{separator}2026-11-01T23:59:59Z\r\n'
    assert read_bill(lines(text)).charges == {(FIRST, ""): 1_250_000_000}


def test_days_of_another_zone_are_read_in_that_zone_and_never_cut_in_two() -> None:
    text = (
        "start_time_iso,end_time_iso,model,wallet_type,cost,currency\n"
        "2026-11-01T00:00:00+08:00,2026-11-02T00:00:00+08:00,deepseek-chat,PAID,2,USD\n"
    )
    assert read_bill(lines(text), ZoneInfo("Asia/Shanghai")).charges == {(FIRST, "deepseek-chat"): 2_000_000_000}
    with pytest.raises(InvalidRequest, match="line 2, it is for more than one day"):
        read_bill(lines(text))


def test_rows_that_cannot_be_read_are_named_by_line_and_in_no_sum() -> None:
    text = (
        "date,model,cost,currency\n"
        "2026-11-01,a,1,usd\n"
        "11/02/2026,a,1,usd\n"
        "2026-02-30,a,1,usd\n"
        "2026-11-01,a,nan,usd\n"
        '2026-11-01,a,"1,000.00",usd\n'
        '2026-11-01,"a\nb",1,usd\n'
        "2026-11-01,a,1,CNY\n"
        "2026-11-01,a,1e999,usd\n"
        "2026-11-01\n"
        "2026-11-01,\x1b[31m,1,usd\n"
    )
    bill = read_bill(lines(text))
    assert bill.charges == {(FIRST, "a"): 1_000_000_000}
    assert [one.line for one in bill.unread] == [3, 4, 5, 6, 8, 9, 10, 12]
    assert "CNY" in bill.unread[5].why
    assert "\x1b" not in str(bill.unread)
    many = "date,cost\n2026-11-01,1\n" + "never,1\n" * 1_000
    bill = read_bill(lines(many))
    assert (bill.unread_rows, len(bill.unread)) == (1_000, MOST_UNREAD)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("date,model\n2026-11-01,a\n", "no column for the amount, only 'date', 'model'"),
        ("name,size\n", "no column for the day and the amount"),
        ("date,cost\n", "no row that can be read"),
        ("date,cost\nyesterday,1\n", "no row that can be read: line 2, its day 'yesterday'"),
        ("date,cost\n2026-11-01," + "1" * 200_000, "no CSV file"),
    ],
)
def test_what_is_no_bill_gets_one_clear_error(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_bill(lines(text))
    assert says in raised.value.message


@given(st.text(max_size=300), st.booleans())
def test_no_text_gets_anything_but_a_bill_or_that_error(text: str, begins_well: bool) -> None:
    try:
        bill = read_bill(lines(("date,cost\n" if begins_well else "") + text), ZoneInfo("Pacific/Auckland"))
    except InvalidRequest:
        return
    assert bill.first <= bill.last


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**15), st.sampled_from(["gpt-4o", "o3"]))))
def test_the_exact_prices_of_tries_that_the_book_rounds_up_agree(tries: list[tuple[int, int, str]]) -> None:
    """A try costs some millionths of a nano-dollar; the bill sums up exactly, the book has whole ones."""
    text = ["date,model,cost\n", "2026-11-01,,\n"]
    booked: list[Booked] = []
    for after, millionths, model in tries:
        day = FIRST + timedelta(days=after)
        text.append(f"{day},{model}-2026-01-31,{millionths // 10**15}.{millionths % 10**15:015d}\n")
        booked.append(Booked(day, model, 1, 0, -(-millionths // 10**6)))
    drift = compare(read_bill(text), booked)
    assert drift.total.calls == len(tries)
    assert all(one.agrees for one in drift.lines)
    assert farthest(drift.lines) == []
    exact = sum(Fraction(millionths, 10**6) for _, millionths, _ in tries)
    assert drift.total.billed is not None
    assert abs(drift.total.billed - exact) <= len(drift.lines) / 2


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("claude-haiku-4-5-20251001", "Claude Haiku 4.5"),
        ("claude-3-7-sonnet-latest", "Claude Sonnet 3.7"),
        ("gpt-4", "gpt-4-0613"),
    ],
)
def test_a_model_is_known_by_either_name(ours: str, theirs: str) -> None:
    assert name_key(ours) == name_key(theirs)


@pytest.mark.parametrize(
    ("one", "other"),
    [("gpt-4o", "gpt-4o-mini"), ("Claude Sonnet 4.5", "claude-opus-4-5"), ("gpt-5", "gpt-5.1"), ("o3", "o3-pro")],
)
def test_models_of_other_names_are_kept_apart(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)


def by_place(drifted: tuple[Line, ...]) -> dict[tuple[date | None, str], Line]:
    return {(one.day, one.model): one for one in drifted}


def test_each_side_alone_is_told_and_what_nobody_knows_is_not_0() -> None:
    second = FIRST + timedelta(days=1)
    bill = Bill({(FIRST, "a"): 1_000, (FIRST, "b"): 500, (second, "c"): 200}, FIRST, second, 0, ())
    booked = [
        Booked(FIRST, "a", 2, 0, 900, assumed_nano=100),
        Booked(second, "a", 1, 0, 50),
        Booked(second, "c", 3, 3, 0),
        Booked(second, "d", 0, 0, 0, pending_nano=70),
        Booked(second + timedelta(days=1), "a", 1, 0, 10**9),
    ]
    drift = compare(bill, booked)
    found = by_place(drift.lines)
    assert (found[FIRST, "a"].drift, found[FIRST, "a"].percent, found[FIRST, "a"].assumed) == (100, 10.0, 100)
    assert (found[FIRST, "b"].booked, found[FIRST, "b"].calls, found[FIRST, "b"].drift) == (None, 0, 500)
    assert (found[second, "a"].billed, found[second, "a"].drift, found[second, "a"].percent) == (None, -50, None)
    assert (found[second, "c"].booked, found[second, "c"].drift, found[second, "c"].unpriced) == (None, None, 3)
    assert (found[second, "d"].pending, found[second, "d"].drift) == (70, 0)
    assert [one.model for one in farthest(drift.lines)] == ["c", "b", "a", "a"]
    models = by_place(drift.models)
    assert (models[None, "a"].billed, models[None, "a"].booked, models[None, "a"].drift) == (1_000, 950, 50)
    assert (drift.total.billed, drift.total.booked, drift.total.unpriced) == (1_700, 950, 3)
    assert not drift.total.agrees


def test_a_bill_without_models_is_compared_by_day() -> None:
    bill = Bill({(FIRST, ""): 300}, FIRST, FIRST, 0, ())
    drift = compare(bill, [Booked(FIRST, "a", 1, 0, 100), Booked(FIRST, "b", 1, 0, 200)])
    (line,) = drift.lines
    assert (line.billed, line.booked, line.agrees) == (300, 300, True)


def test_days_are_those_of_utc_unless_another_zone_is_named() -> None:
    text = "date,cost\n2026-11-01T23:30:00-02:00,1\n"
    assert read_bill(lines(text), UTC).first == date(2026, 11, 2)
