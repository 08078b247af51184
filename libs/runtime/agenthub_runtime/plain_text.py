"""Makes text of others safe to show: what a goal, a model or a file says never becomes terminal code.

What is made visible: C0 and C1 control characters (Unicode categories Cc), overrides of the writing direction and
isolates (Unicode Standard Annex 9), line and paragraph separators, and lone surrogates. Tabs and line ends stay.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    """`text` with every character that could steer a terminal written as an escape, such as `\\x1b`."""
    return _UNSAFE.sub(lambda found: ascii(found.group())[1:-1], text)


def one_line(text: str) -> str:
    """`plain` on one line: in a list, what somebody wrote cannot look like a line of ours."""
    return plain(" ".join(text.split()))
