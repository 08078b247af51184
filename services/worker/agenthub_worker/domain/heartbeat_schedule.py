"""What a heartbeat has to send, how often, and when it must no longer speak for its worker."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

ORDER_BEAT_S = 3.0
STATUS_BEAT_S = 5.0
HUNG_AFTER_S = 60.0


class Beat(msgspec.Struct, frozen=True):
    """What is due now: to keep the held orders, and to say what the worker holds."""

    orders: bool
    status: bool


class HeartbeatSchedule:
    """When orders and the worker's status were sent last, in seconds of a clock that never jumps.

    Orders are due every `order_beat_s` seconds; the status every `STATUS_BEAT_S`, and at once when other tasks are
    held. A worker whose loop has not moved for `hung_after_s` is hung: it does not work on what it holds.
    """

    def __init__(self, *, order_beat_s: float = ORDER_BEAT_S, hung_after_s: float = HUNG_AFTER_S) -> None:
        self._order_beat_s = order_beat_s
        self._hung_after_s = hung_after_s
        self._next_orders = float("-inf")
        self._next_status = float("-inf")
        self._told: frozenset[str] = frozenset()

    def is_hung(self, now: float, moved: float) -> bool:
        """Whether the worker's loop, which moved last at `moved`, counts as hung."""
        return now - moved > self._hung_after_s

    def due(self, now: float, held: Collection[str]) -> Beat:
        """What is to be sent for a worker that holds the tasks `held`."""
        return Beat(
            orders=now >= self._next_orders,
            status=now >= self._next_status or frozenset(held) != self._told,
        )

    def sent(self, now: float, held: Collection[str], beat: Beat) -> None:
        """All of `beat` has been sent; what could not be sent stays due."""
        if beat.orders:
            self._next_orders = now + self._order_beat_s
        if beat.status:
            self._next_status, self._told = now + STATUS_BEAT_S, frozenset(held)
