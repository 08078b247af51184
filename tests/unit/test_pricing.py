"""What calls cost, by the dated table."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agenthub_worker.domain.model import TokenUsage
from agenthub_worker.llm.pricing import PRICES, cost_usd, worst_case_usd
from agenthub_worker.llm.providers import DEFAULT_MODELS, MODEL_ALIASES

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (TokenUsage(input_tokens=MILLION), "2"),
        (TokenUsage(output_tokens=MILLION), "10"),
        (TokenUsage(cache_read_tokens=MILLION), "0.10"),
        (TokenUsage(cache_write_tokens=MILLION), "2.5"),
        (TokenUsage(input_tokens=1_000, output_tokens=500, cache_read_tokens=20_000), "0.009"),
        (TokenUsage(), "0"),
    ],
)
def test_each_kind_of_token_has_its_own_price(usage: TokenUsage, cost: str) -> None:
    assert cost_usd("claude-sonnet-5-5", usage, "anthropic") == Decimal(cost)


def test_a_long_prompt_costs_the_higher_rate_for_all_of_it() -> None:
    short = TokenUsage(input_tokens=60_000, cache_read_tokens=40_000)
    long = TokenUsage(input_tokens=60_001, cache_read_tokens=40_000)
    assert cost_usd("claude-haiku-5-5", short, "anthropic") == Decimal("0.0064")
    assert cost_usd("claude-haiku-5-5", long, "anthropic") == Decimal("0.0320005")


def test_an_unknown_model_costs_an_unknown_amount() -> None:
    assert cost_usd("llama-next", TokenUsage(input_tokens=5), "local") is None
    assert worst_case_usd("llama-next", 5, 5, "local") is None


def test_a_rehearsal_costs_nothing() -> None:
    assert cost_usd("rehearsal", TokenUsage(input_tokens=5), "rehearsal") == 0


def test_a_dated_name_has_the_price_of_its_model() -> None:
    usage = TokenUsage(output_tokens=MILLION)
    assert cost_usd("claude-opus-5-5-20260901", usage, "anthropic") == Decimal(20)


def test_no_call_costs_more_than_its_worst_case() -> None:
    for model in PRICES:
        worst = worst_case_usd(model, 50_000, 8_000, "anthropic")
        assert worst is not None
        for split in ((50_000, 0, 0), (0, 50_000, 0), (0, 0, 50_000), (20_000, 20_000, 10_000)):
            usage = TokenUsage(
                input_tokens=split[0], cache_read_tokens=split[1], cache_write_tokens=split[2], output_tokens=8_000
            )
            cost = cost_usd(model, usage, "anthropic")
            assert cost is not None
            assert cost <= worst


def test_every_model_that_is_used_by_default_has_a_price() -> None:
    assert {*DEFAULT_MODELS.values(), *MODEL_ALIASES.values()} <= set(PRICES)
