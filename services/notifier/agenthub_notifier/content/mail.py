"""A message as an e-mail, in text and in HTML."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from agenthub_notifier.content.story import Occurrence, Story
from agenthub_notifier.content.wording import (
    IF_UNANSWERED,
    REHEARSAL,
    WHICHEVER,
    action_of,
    essential,
    facts_of,
    heading,
    same_consequence,
    subject_of,
    text_of,
    unanswered_of,
)

# A header that is folded may be encoded, and no program finds an address in it then.
_UNFOLDED = SMTP.clone(max_line_length=900)

_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>{dark}</style></head>
<body class="page" style="margin:0;padding:24px 16px;background:#f4f5f7;color:#1d2330;\
font:15px/1.55 system-ui,-apple-system,Segoe UI,sans-serif;overflow-wrap:anywhere">
<div role="main" style="max-width:600px;margin:0 auto">
{notice}{stories}
<p class="faint" style="margin:20px 4px;font-size:13px;color:#5b6472">{foot}</p>
</div></body></html>
"""
# A program that shows mails in the dark takes these; one that knows no style sheets shows the light ones.
_DARK = """
:root{color-scheme:light dark}
@media (prefers-color-scheme:dark){
.page{background:#14171c!important;color:#e4e8ee!important}
.card{background:#1d2229!important;border-color:#363e49!important}
.faint,.faint td{color:#a7b1be!important}
.link{color:#8db8ff!important}
.button{background:#8db8ff!important;color:#0e1c33!important}
.notice{background:#3a3013!important;border-color:#6b5820!important;color:#f2dfa3!important}
}
"""
_CARD = """\
<div class="card" style="background:#fff;border:1px solid #dfe3e8;border-radius:10px;padding:20px 24px;\
margin:0 0 16px">
<h1 dir="auto" style="font-size:18px;line-height:1.35;margin:0 0 12px">{headline}</h1>
{cause}{options}{action}{detail}{unanswered}
<table class="faint" style="font-size:13px;color:#5b6472;border-collapse:collapse;margin:12px 0 0">{facts}</table>
</div>
"""
_BUTTON = (
    '<p style="margin:0 0 16px"><a class="button" href="{link}" style="display:inline-block;background:#1f5fbf;'
    'color:#fff;text-decoration:none;border-radius:7px;padding:9px 18px;font-weight:600">{words}</a></p>\n'
)
_NOTICE = (
    '<p class="notice" style="background:#fff4d6;border:1px solid #e8cf86;border-radius:8px;padding:8px 14px;'
    'margin:0 0 16px;color:#5c4708">{words}</p>\n'
)


def mail_of(
    occurrence: Occurrence, *, sender: str, recipient: str, message_id: str, sent_at: datetime
) -> EmailMessage:
    """The mail. `message_id` is without its brackets; the same id always means the same matter."""
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = subject_of(occurrence)
    mail["From"] = Address("agenthub", addr_spec=sender)
    mail["To"] = Address(addr_spec=recipient)
    mail["Date"] = format_datetime(sent_at)
    mail["Message-ID"] = f"<{message_id}>"
    mail["Auto-Submitted"] = "auto-generated"
    thread = {story.goal_id for story in occurrence.stories}
    if len(thread) == 1:
        mail["References"] = f"<{thread.pop()}@agenthub>"
    if occurrence.unsubscribe:
        mail["List-Unsubscribe"] = f"<{occurrence.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(text_of(occurrence))
    mail.add_alternative(html_of(occurrence), subtype="html")
    return mail


def bytes_of(mail: EmailMessage) -> bytes:
    """The mail as it travels."""
    return mail.as_bytes(policy=_UNFOLDED)


def html_of(occurrence: Occurrence) -> str:
    """The message as a page; whatever others have written is shown as they wrote it, and does nothing."""
    foot = "agenthub"
    if occurrence.hub_url:
        foot += f" at {_link(occurrence.hub_url, occurrence.hub_url)}"
    if occurrence.unsubscribe:
        foot += f" · {_link(occurrence.unsubscribe, 'no more of these')}"
    return _PAGE.format(
        title=escape(subject_of(occurrence)),
        dark=_DARK,
        notice=_NOTICE.format(words=escape(REHEARSAL)) if occurrence.is_rehearsal else "",
        stories="".join(_card(story) for story in essential(occurrence.stories)),
        foot=foot,
    )


def _link(address: str, words: str) -> str:
    return f'<a class="link" href="{escape(address)}" style="color:#1f5fbf">{escape(words)}</a>'


def _card(story: Story) -> str:
    action = _BUTTON.format(link=escape(story.link), words=action_of(story)) if story.link else ""
    detail = "".join(f'<p dir="auto" style="margin:0 0 6px">{_broken(line)}</p>\n' for line in story.detail)
    return _CARD.format(
        headline=escape(heading(story)),
        cause=f'<p dir="auto" style="margin:0 0 12px;font-size:16px">{_broken(story.cause)}</p>\n'
        if story.cause
        else "",
        detail=detail,
        options=_options(story),
        unanswered=_unanswered(story),
        facts=_rows(facts_of(story)),
        action=action,
    )


def _options(story: Story) -> str:
    if not story.options:
        return ""
    same = same_consequence(story)
    told = [""] * len(story.options) if same else story.consequences or [""] * len(story.options)
    items = "".join(
        f'<li style="margin:0 0 6px"><bdi>{escape(option)}</bdi>{_follows(words)}</li>'
        for option, words in zip(story.options, told, strict=True)
    )
    below = (
        f'<p class="faint" style="margin:0 0 12px;color:#5b6472">{WHICHEVER}: <bdi>{escape(same)}</bdi></p>\n'
        if same
        else ""
    )
    return f'<ol style="margin:0 0 12px;padding-left:22px">{items}</ol>\n{below}'


def _follows(words: str) -> str:
    if not words:
        return ""
    return f'<br><span class="faint" style="font-size:13px;color:#5b6472"><bdi>{escape(words)}</bdi></span>'


def _unanswered(story: Story) -> str:
    if not story.if_unanswered:
        return ""
    return (
        f'<h2 style="font-size:13px;margin:16px 0 4px">{IF_UNANSWERED}</h2>\n'
        '<table class="faint" style="font-size:13px;color:#5b6472;border-collapse:collapse">'
        f"{_rows(unanswered_of(story))}</table>\n"
    )


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f'<tr><td style="padding:1px 14px 1px 0;vertical-align:top;white-space:nowrap">{escape(name)}</td>'
        f"<td><bdi>{escape(value)}</bdi></td></tr>"
        for name, value in rows
    )


def _broken(text: str) -> str:
    """Lines as they are, code with what it is indented by."""
    lines = (line.lstrip(" ") for line in text.split("\n"))
    return "<br>".join(
        "&nbsp;" * (len(whole) - len(line)) + escape(line)
        for whole, line in zip(text.split("\n"), lines, strict=True)
    )
