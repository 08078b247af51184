"""Texts that look like a credential, whoever issued it: a table of shapes and the search for them.

The shapes are those that issuers document for their tokens, so that scanners can find them. A pattern is compiled
when one of its hints first stands in a text: most processes never need most of them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import NamedTuple


class SecretPlace(NamedTuple):
    """A place in a text, `start` to `end` (not included), and the name of the shape that stands there.

    `example`: this shape is as often an example in a document as a leak.
    """

    start: int
    end: int
    name: str
    example: bool


class _Shape(NamedTuple):
    """`pattern` matches the credential, or holds it in its one group; each match has one of `hints` in it."""

    name: str
    hints: tuple[str, ...]
    pattern: str
    example: bool = False
    holds: Callable[[str], bool] | None = None


def _is_user_and_password(text: str) -> bool:
    """Whether it is what HTTP calls Basic: base64 of a name, a colon and a password."""
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return False
    return ":" in plain and plain.isprintable()


_START = r"(?<![A-Za-z0-9])"
_END = r"(?![A-Za-z0-9])"
_WORD = r"[A-Za-z0-9_-]"
# What stands in the place of a password in a template, or has been masked already.
_NO_PASSWORD = r"(?!\[redacted|\{|\$\{|\$\(|<|%s|%\(|\$[A-Z_]+@|\*+@)"  # noqa: S105  a pattern
_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"

_SHAPES: tuple[_Shape, ...] = (
    # Wherever they come from
    _Shape(
        "private key",
        ("PRIVATE KEY",),
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    ),
    _Shape("PuTTY key", ("Private-Lines:",), r"Private-Lines: \d+[\s\S]*?(?=Private-MAC|\Z)"),
    _Shape("age key", ("AGE-SECRET-KEY-1",), r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    _Shape(
        "password in an address",
        ("://",),
        rf"(?<=://)(?!\[redacted)[^/\s:@\"'<>]{{0,64}}:{_NO_PASSWORD}[^/\s@\"'<>]{{1,256}}(?=@)",
        example=True,
    ),
    _Shape("token in an address", ("://",), r"(?<=://)(?=[\w.-]*\d)[\w.-]{20,}(?=@)", example=True),
    _Shape(
        "bearer token",
        ("earer", "EARER"),
        r"(?i)(?<![a-z])bearer[ \t]+([A-Za-z0-9._~+/=-]{16,})",
        example=True,
    ),
    _Shape(
        "basic authentication",
        ("asic ", "ASIC "),
        r"(?i)(?<![a-z])basic[ \t]+([A-Za-z0-9+/]{6,}={0,2})",
        example=True,
        holds=_is_user_and_password,
    ),
    _Shape(
        "authorization header",
        ("uthorization", "UTHORIZATION"),
        r"(?i)authorization[\"']?\s*[:=]\s*[\"']?(?:token|api-?key|key|ssws)\s+([\w.~+/=-]{16,})",
        example=True,
    ),
    _Shape(
        "password of curl",
        ("curl ",),
        r"curl\s[^\n]*?\s(?:-u|--user)\s+[\"']?[^\s:\"']+:(?!\[redacted)([^\s\"'$]{3,})",
    ),
    _Shape(
        "password in a connection string",
        ("assword", "ASSWORD", "wd", "WD"),
        r"(?i);\s*(?:password|pwd)\s*=\s*(?!\[redacted|\{|\$)([^;\"'\s]{3,})",
        example=True,
    ),
    _Shape(
        "JSON web token",
        ("eyJ",),
        rf"(?<![\w-])eyJ{_WORD}{{8,}}\.{_WORD}{{8,}}(?:\.{_WORD}*){{0,3}}",
        example=True,
    ),
    # Models
    _Shape("Anthropic", ("sk-ant-",), rf"sk-ant-{_WORD}{{8,}}"),
    _Shape(
        "OpenAI and its like",
        ("sk-",),
        rf"{_START}sk-(?:[A-Za-z0-9]{{20,}}|(?:proj|svcacct|admin|or-v1)-{_WORD}{{16,}}"
        rf"|[a-z]{{2,10}}-(?={_WORD}*\d){_WORD}{{24,}})",
    ),
    _Shape("Hugging Face", ("hf_", "api_org_"), rf"{_START}(?:hf|api_org)_[A-Za-z0-9]{{30,}}"),
    _Shape("Groq", ("gsk_",), rf"{_START}gsk_[A-Za-z0-9]{{40,}}"),
    _Shape("Replicate", ("r8_",), rf"{_START}r8_[A-Za-z0-9]{{36,}}"),
    _Shape("Perplexity", ("pplx-",), rf"{_START}pplx-[A-Za-z0-9]{{40,}}"),
    _Shape("xAI", ("xai-",), rf"{_START}xai-[A-Za-z0-9]{{70,}}"),
    # Code and packages
    _Shape("GitHub", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{20,}"),
    _Shape("GitHub", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{20,}"),
    _Shape(
        "GitLab",
        (
            "glpat-",
            "gldt-",
            "glft-",
            "glsoat-",
            "glrt-",
            "glrtr-",
            "glcbt-",
            "glimt-",
            "glptt-",
            "glagent-",
            "gloas-",
        ),
        rf"gl(?:pat|dt|ft|soat|rtr?|cbt|imt|ptt|agent|oas)-{_WORD}{{16,}}",
    ),
    _Shape("GitLab", ("GR1348941",), rf"GR1348941{_WORD}{{20,}}"),
    _Shape("Bitbucket", ("ATBB",), rf"{_START}ATBB[A-Za-z0-9]{{28,}}"),
    _Shape("Atlassian", ("ATATT3", "ATCTT3"), r"AT[AC]TT3[A-Za-z0-9_=-]{50,}"),
    _Shape("npm", ("npm_",), rf"{_START}npm_[A-Za-z0-9]{{30,}}"),
    _Shape("npm", ("_authToken", "_auth="), r"_auth(?:Token)?\s*=\s*(?!\[redacted|\$)([^\s\"'`,;]{16,})"),
    _Shape("PyPI", ("pypi-",), rf"{_START}pypi-(?:AgE{_WORD}{{16,}}|{_WORD}{{50,}})"),
    _Shape("RubyGems", ("rubygems_",), r"rubygems_[0-9a-f]{40,}"),
    _Shape("crates.io", ("cio",), rf"{_START}cio[A-Za-z0-9]{{32}}{_END}"),
    _Shape("Clojars", ("CLOJARS_",), r"CLOJARS_[0-9a-z]{60}"),
    _Shape("Docker", ("dckr_pat_", "dckr_oat_"), rf"dckr_[po]at_{_WORD}{{20,}}"),
    _Shape("CircleCI", ("CCIPAT_",), r"CCIPAT_[A-Za-z0-9]{20,}_[0-9a-f]{40}"),
    _Shape("Postman", ("PMAK-",), r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    _Shape("Figma", ("figd_",), rf"figd_{_WORD}{{30,}}"),
    _Shape("Linear", ("lin_api_", "lin_oauth_"), r"lin_(?:api|oauth)_[A-Za-z0-9]{30,}"),
    _Shape("Notion", ("ntn_",), rf"{_START}ntn_[A-Za-z0-9]{{40,}}"),
    _Shape("Notion", ("secret_",), rf"(?<![A-Za-z0-9_])secret_[A-Za-z0-9]{{43}}{_END}"),
    _Shape("Airtable", ("pat",), rf"{_START}pat[A-Za-z0-9]{{14}}\.[0-9a-f]{{40,}}"),
    _Shape("Sentry", ("sntrys_", "sntryu_"), r"sntry[su]_[A-Za-z0-9_+/=-]{40,}"),
    # Clouds
    _Shape(
        "AWS",
        ("AKIA", "ASIA", "ABIA", "ACCA", "A3T"),
        rf"{_START}(?:A3T[A-Z0-9]|A[KSB]IA|ACCA)[A-Z0-9]{{16}}{_END}",
    ),
    _Shape(
        "AWS secret beside its key",
        ("AKIA", "ASIA"),
        r"(?<![A-Za-z0-9/+=])(?=[a-z0-9/+]*[A-Z])(?=[A-Z0-9/+]*[a-z])(?=[A-Za-z/+]*\d)"
        r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
    ),
    _Shape(
        "AWS secret",
        ("aws", "AWS", "ecret", "ECRET"),
        r"(?i)(?:aws.{0,40}?(?:secret|key|token|pwd?|pass(?:word)?)|secret[_-]?access[_-]?key)"
        r"[^A-Za-z0-9\n]{1,20}?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    ),
    _Shape("AWS marketplace", ("amzn.mws.",), rf"amzn\.mws\.{_UUID}"),
    _Shape("Google", ("AIza",), rf"{_START}AIza{_WORD}{{30,}}"),
    _Shape("Google", ("GOCSPX-",), rf"GOCSPX-{_WORD}{{20,}}"),
    _Shape("Google", ("ya29.",), rf"{_START}ya29\.{_WORD}{{20,}}"),
    _Shape("Google", ("1//0",), rf"(?<![\w/])1//0{_WORD}{{40,}}"),
    _Shape(
        "Azure",
        ("AccountKey", "AccessKey", "accesskey", "AccessSignature"),
        r"(?i)(?:AccountKey|SharedAccessKey|AccessKey|SharedAccessSignature)\s*=\s*([A-Za-z0-9+/&%=]{20,})",
    ),
    _Shape("Azure", ("sig=",), r"[?&]sig=([A-Za-z0-9%+/]{20,}=*)"),
    _Shape("Azure", ("Q~",), r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])"),
    _Shape("DigitalOcean", ("_v1_",), rf"{_START}do[opr]_v1_[0-9a-f]{{32,}}"),
    _Shape("Heroku", ("HRKU-",), rf"HRKU-{_WORD}{{30,}}"),
    _Shape("Heroku", ("eroku", "EROKU"), rf"(?i)heroku.{{0,40}}?[\"'=:\s]({_UUID})"),
    _Shape("Fly", ("fm1", "fm2_", "fo1_"), r"(?<!\w)f(?:m1[ar]|m2|o1)_[A-Za-z0-9_+/=-]{40,}"),
    _Shape("Netlify", ("nfp_",), rf"{_START}nfp_[A-Za-z0-9]{{36,}}"),
    _Shape("Databricks", ("dapi",), rf"{_START}dapi[0-9a-f]{{30,}}(?:-\d)?"),
    _Shape("Terraform", (".atlasv1.",), r"[A-Za-z0-9]{10,}\.atlasv1\.[A-Za-z0-9_=-]{40,}"),
    _Shape("Vault", ("hvs.", "hvb.", "hvr."), rf"{_START}hv[sbr]\.{_WORD}{{20,}}"),
    _Shape("Doppler", ("dp.",), rf"{_START}dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{{36,}}"),
    _Shape("Pulumi", ("pul-",), rf"{_START}pul-[0-9a-f]{{40}}"),
    _Shape("PlanetScale", ("pscale_",), r"pscale_(?:tkn|pw|oauth)_[\w.=-]{30,}"),
    _Shape("Supabase", ("sbp_", "sb_secret_"), rf"{_START}sb(?:p|_secret)_{_WORD}{{24,}}"),
    _Shape("Tailscale", ("tskey-",), rf"tskey-(?:api|auth|client|scim|webhook)-{_WORD}{{20,}}"),
    _Shape("NATS", ("SU", "SA", "SO", "SN", "SC"), rf"{_START}S[UAONC][A-Z2-7]{{56}}{_END}"),
    _Shape("New Relic", ("NRAK-", "NRJS-", "NRII-", "NRAA-"), r"NR(?:AK|JS|II|AA)-[A-Za-z0-9_-]{19,}"),
    _Shape("Grafana", ("glsa_", "glc_"), rf"{_START}gl(?:sa|c)_[A-Za-z0-9_+/=]{{30,}}"),
    _Shape("Dynatrace", ("dt0",), rf"{_START}dt0[a-z]\d\d\.[A-Z0-9]{{24}}\.[A-Z0-9]{{64}}"),
    # Messages and money
    _Shape("Slack", ("xox",), r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}"),
    _Shape("Slack", ("xapp-",), r"xapp-\d-[A-Za-z0-9-]{10,}"),
    _Shape(
        "Slack", ("hooks.slack.com/",), r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{20,})"
    ),
    _Shape("Discord", ("/webhooks/",), rf"discord(?:app)?\.com/api/(?:v\d+/)?webhooks/(\d{{15,}}/{_WORD}{{20,}})"),
    _Shape("Discord", (".",), rf"[MNO](?<![\w-][MNO]){_WORD}{{22,27}}\.{_WORD}{{6}}\.{_WORD}{{27,45}}"),
    _Shape("Telegram", (":A",), rf"(?<![\w.:-])\d{{6,10}}:A{_WORD}{{34}}(?![\w-])"),
    _Shape("Twilio", ("SK", "AC"), rf"{_START}(?:SK|AC)[0-9a-f]{{32}}{_END}"),
    _Shape("Twilio", ("wilio", "WILIO"), rf"(?i)twilio.{{0,30}}?[\"'=:\s]([0-9a-f]{{32}}){_END}"),
    _Shape("SendGrid", ("SG.",), rf"{_START}SG\.{_WORD}{{16,}}\.{_WORD}{{16,}}"),
    _Shape("Brevo", ("xkeysib-",), r"xkeysib-[0-9a-f]{60,}-[A-Za-z0-9]{16}"),
    _Shape("Mailgun", ("key-",), rf"(?<![A-Za-z0-9_-])(?:pub)?key-[0-9a-zA-Z]{{32}}{_END}"),
    _Shape(
        "Mailgun",
        ("ailgun", "AILGUN"),
        r"(?i)mailgun.{0,40}?[\"'=:\s]([0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})",
    ),
    _Shape("Mailchimp", ("-us",), rf"{_START}[0-9a-f]{{32}}-us\d{{1,2}}(?!\d)"),
    _Shape("Stripe", ("k_live_", "k_prod_"), rf"{_START}[sr]k_(?:live|prod)_[A-Za-z0-9]{{10,}}"),
    _Shape("Stripe for tests", ("k_test_",), rf"{_START}[sr]k_test_[A-Za-z0-9]{{10,}}", example=True),
    _Shape("webhook secret", ("whsec_",), r"whsec_[A-Za-z0-9+/=]{16,}"),
    _Shape("Shopify", ("shp",), rf"{_START}shp(?:at|ca|pa|ss|ua|tka)_[0-9a-fA-F]{{32}}"),
    _Shape("Square", ("sq0",), rf"{_START}sq0[a-z]{{3}}-{_WORD}{{22,}}"),
    _Shape("Square", ("EAAA",), rf"(?<![\w/+])EAAA{_WORD}{{56,}}"),
    _Shape("EasyPost", ("EZAK", "EZTK"), rf"{_START}EZ[AT]K[A-Za-z0-9]{{54}}"),
)

# Two dots with six characters between: the one shape without a word of its own is looked for only behind this.
_DOTTED = r"\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27}"
_HINTS = tuple(dict.fromkeys(hint for shape in _SHAPES for hint in shape.hints if hint != "."))


def may_hold_shape(text: str) -> bool:
    """Whether a search is worth it: False for nearly every text, at a fraction of the price."""
    return _any_hint().search(text) is not None or _compiled(_DOTTED).search(text) is not None


def find_shapes(text: str) -> list[SecretPlace]:
    """Every place in `text` that looks like a credential, in order; none lies in or across another."""
    if not may_hold_shape(text):
        return []
    places = sorted(place for shape in _SHAPES for place in _places(shape, text))
    apart: list[SecretPlace] = []
    for place in places:
        if apart and place.start < apart[-1].end:
            last = apart[-1]
            apart[-1] = SecretPlace(
                last.start, max(last.end, place.end), last.name, last.example and place.example
            )
        else:
            apart.append(place)
    return apart


def _places(shape: _Shape, text: str) -> Iterator[SecretPlace]:
    if not any(hint in text for hint in shape.hints) or (
        shape.hints == (".",) and not _compiled(_DOTTED).search(text)
    ):
        return
    pattern = _compiled(shape.pattern)
    for match in pattern.finditer(text):
        start, end = match.span(pattern.groups)
        value = text[start:end]
        if shape.holds is None or shape.holds(value):
            yield SecretPlace(start, end, shape.name, shape.example)


@cache
def _any_hint() -> re.Pattern[str]:
    # As a tree: twice as fast as one search for each hint, and five times as fast as a plain list of them.
    return re.compile(_tree(_HINTS))


def _tree(words: Iterable[str]) -> str:
    heads: dict[str, list[str]] = {}
    for word in words:
        if not word:
            return ""
        heads.setdefault(word[0], []).append(word[1:])
    return f"(?:{'|'.join(re.escape(head) + _tree(rest) for head, rest in heads.items())})"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
