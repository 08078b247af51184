"""The page that a link in a message opens: one matter, its buttons, and nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape

import msgspec
from litestar import Response

_STYLE = """
:root{color-scheme:light dark;--bg:#f4f5f7;--card:#fff;--line:#dfe3e8;--text:#1d2330;--soft:#5b6472;--go:#1f5fbf}
@media(prefers-color-scheme:dark){:root{--bg:#14171c;--card:#1c2027;--line:#333a45;--text:#e8ebf0;--soft:#a3adbb;
--go:#2f6fd0}}
*{box-sizing:border-box}body{margin:0;padding:5vh 20px;background:var(--bg);color:var(--text);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:640px;margin:0 auto;background:var(--card);border:1px solid var(--line);border-radius:12px;
padding:24px 28px;overflow-wrap:anywhere}
h1{font-size:1.25rem;line-height:1.35;margin:0 0 12px}p{margin:0 0 12px;white-space:pre-wrap}
h2{font-size:1rem;margin:22px 0 4px}.soft{color:var(--soft);font-size:.9rem;margin:0 0 4px}
form+.soft{margin-top:18px}.follows{margin:3px 0 14px}
form{margin:14px 0 0}label{display:block;font-weight:600;margin:0 0 4px}
textarea{width:100%;min-height:6em;font:inherit;color:inherit;background:var(--bg);border:1px solid var(--line);
border-radius:8px;padding:8px 10px}
button{font:inherit;font-weight:600;border:0;border-radius:8px;padding:9px 18px;margin:8px 8px 0 0;cursor:pointer;
background:var(--go);color:#fff;text-align:left}button.second{background:transparent;color:inherit;
border:1px solid var(--line)}button:focus-visible,textarea:focus-visible{
outline:3px solid var(--go);outline-offset:2px}
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    # The address is the key.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A button. What it sends is `name=value`; `follows` says what comes of it."""

    name: str
    value: str
    words: str
    follows: str = ""
    is_second: bool = False


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """Buttons, and above them a field for words where `field` names one."""

    choices: tuple[Choice, ...]
    field: str = ""
    label: str = ""
    is_required: bool = False


def page(
    title: str,
    lines: Sequence[str] = (),
    *,
    soft: Sequence[str] = (),
    below: Mapping[str, Sequence[str]] = {},
    forms: Sequence[Form] = (),
    status: int = 200,
) -> Response[bytes]:
    """The page; whatever others have written is shown as they wrote it. `below` has lines under a heading each."""
    body = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
    body += "".join(_form(form) for form in forms)
    for heading, told in below.items():
        body += f"<h2>{escape(heading)}</h2>" + "".join(f'<p class="soft">{escape(line)}</p>' for line in told)
    body += "".join(f'<p class="soft">{escape(line)}</p>' for line in soft if line)
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return Response(html.encode(), status_code=status, media_type="text/html; charset=utf-8", headers=_HEADERS)


def _form(form: Form) -> str:
    field = ""
    if form.field:
        need = " required" if form.is_required else ""
        field = (
            f'<label for="{form.field}">{escape(form.label)}</label>'
            f'<textarea id="{form.field}" name="{form.field}" maxlength="16000"{need}></textarea>'
        )
    buttons = "".join(_button(choice) for choice in form.choices)
    return f'<form method="post">{field}{buttons}</form>'


def _button(choice: Choice) -> str:
    look = ' class="second"' if choice.is_second else ""
    button = f'<button name="{choice.name}" value="{escape(choice.value)}"{look}>{escape(choice.words)}</button>'
    return f'{button}<p class="soft follows">{escape(choice.follows)}</p>' if choice.follows else button
