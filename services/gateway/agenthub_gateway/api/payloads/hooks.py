"""What webhooks are answered."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

HookResult: TypeAlias = Literal["began", "known", "noted", "reworked", "left_out", "ignored"]


class HookAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook has led to.

    `began`: a goal has begun. `known`: it was dealt with before. `noted`: the agents at work read the comment
    before their next step. `reworked`: the goal is open again with the comment as a wish. `left_out`: the
    schedule's last goal is still being worked on. `ignored`: nothing, and `reason` says why.
    """

    result: HookResult
    goal_id: str | None = None
    reason: str = ""
