"""What calls cost: a dated table. A model that is not in it costs an unknown amount, which is not zero."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from agenthub_worker.domain.model import TokenUsage

PRICES_AS_OF = "2026-11-24"
REHEARSAL = "rehearsal"

_MILLION = Decimal(1_000_000)
_DATED = re.compile(r"-\d{8}$")


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """USD per million tokens, for prompts of up to `up_to_input_tokens` (None: any length)."""

    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal
    up_to_input_tokens: int | None = None

    def cost(self, usage: TokenUsage) -> Decimal:
        """USD for `usage` at this rate."""
        return (
            self.input * usage.input_tokens
            + self.output * usage.output_tokens
            + self.cache_read * usage.cache_read_tokens
            + self.cache_write * usage.cache_write_tokens
        ) / _MILLION


def _rate(input_: str, output: str, cache_read: str, cache_write: str, up_to: int | None = None) -> Rate:
    return Rate(
        input=Decimal(input_),
        output=Decimal(output),
        cache_read=Decimal(cache_read),
        cache_write=Decimal(cache_write),
        up_to_input_tokens=up_to,
    )


# Per model its rates by prompt length, the shortest first. Cache rates are not a fixed share of the input price.
# Compared with the vendor's published prices on 2026-11-24.
PRICES: dict[str, tuple[Rate, ...]] = {
    "claude-opus-5-5": (_rate("4", "20", "0.20", "5"),),
    "claude-sonnet-5-5": (_rate("2", "10", "0.10", "2.5"),),
    # The vendor names no cache rates for long prompts; these keep the shares of the short ones.
    "claude-haiku-5-5": (
        _rate("0.10", "0.50", "0.01", "0.125", 100_000),
        _rate("0.50", "2.50", "0.05", "0.625"),
    ),
    "claude-fable-5-1": (_rate("10", "50", "1", "12.5"),),
}


def cost_usd(model: str, usage: TokenUsage | None, provider: str) -> Decimal | None:
    """USD of one call; 0 for the rehearsal model; None when the price of `model`, or the usage, is not known."""
    if provider == REHEARSAL:
        return Decimal(0)
    if usage is None:
        return None
    rate = _rate_for(model, usage.total_input_tokens)
    return None if rate is None else rate.cost(usage)


def price_is_known(model: str) -> bool:
    """Whether the table has a price for `model`."""
    return _rate_for(model, 0) is not None


def worst_case_usd(model: str, input_tokens: int, max_tokens: int, provider: str) -> Decimal | None:
    """USD that a call costs at most: nothing of the prompt cached before, all of it written, a full reply."""
    return cost_usd(model, TokenUsage(cache_write_tokens=input_tokens, output_tokens=max_tokens), provider)


def _rate_for(model: str, input_tokens: int) -> Rate | None:
    rates = PRICES.get(model) or PRICES.get(_DATED.sub("", model))
    if rates is None:
        return None
    for rate in rates:
        if rate.up_to_input_tokens is None or input_tokens <= rate.up_to_input_tokens:
            return rate
    return rates[-1]
