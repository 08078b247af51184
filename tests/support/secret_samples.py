"""One made-up credential of every shape, by name. They are put together here, so that no file holds one whole."""

from __future__ import annotations

import base64
import json
import random
import string

_CHANCE = random.Random(7)
_ALNUM = string.ascii_letters + string.digits
_UPPER = string.ascii_uppercase + string.digits
_BASE32 = string.ascii_uppercase + "234567"


def _any(count: int, alphabet: str = _ALNUM) -> str:
    return "".join(_CHANCE.choice(alphabet) for _ in range(count))


def _hex(count: int) -> str:
    return _any(count, "0123456789abcdef")


def _json64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _pem(kind: str, end: str = "") -> str:
    dashes, what = "-" * 5, f"{kind}PRIVATE KEY{end}"
    return f"{dashes}BEGIN {what}{dashes}\n{_any(64)}\n{_any(64)}\n{dashes}END {what}{dashes}"


SECRETS: dict[str, str] = {
    "openai project": f"sk-proj-{_any(40)}_{_any(30)}",
    "openai": f"sk-{_any(20)}T3BlbkFJ{_any(20)}",
    "openai service": f"sk-svcacct-{_any(60)}",
    "openrouter": f"sk-or-v1-{_hex(64)}",
    "anthropic": f"sk-ant-api03-{_any(93)}AA",
    "google key": f"AIza{_any(35)}",
    "google client": f"GOCSPX-{_any(28)}",
    "google access": f"ya29.{_any(60)}",
    "json web token": f"{_json64({'alg': 'HS256'})}.{_json64({'sub': '12', 'name': 'Jo'})}.{_any(43)}",
    "npm": f"npm_{_any(36)}",
    "pypi": f"pypi-AgEIcHlwaS5vcmc{_any(80)}",
    "rubygems": f"rubygems_{_hex(48)}",
    "crates.io": f"cio{_any(32)}",
    "github": f"ghp_{_any(36)}",
    "github app": f"ghs_{_any(36)}",
    "github fine-grained": f"github_pat_{_any(22)}_{_any(59)}",
    "gitlab": f"glpat-{_any(20)}",
    "bitbucket": f"ATBB{_any(32)}",
    "atlassian": f"ATATT3xFf{_any(180)}",
    "slack bot": f"xoxb-123456789012-123456789012-{_any(24)}",
    "slack app": f"xapp-1-A{_any(10, _UPPER)}-1234567890123-{_hex(64)}",
    "aws key": f"AKIA{_any(16, _BASE32)}",
    "stripe": f"sk_live_{_any(24)}",
    "stripe restricted": f"rk_live_{_any(24)}",
    "stripe test": f"sk_test_{_any(24)}",
    "webhook": f"whsec_{_any(32)}",
    "twilio": f"SK{_hex(32)}",
    "sendgrid": f"SG.{_any(22)}.{_any(43)}",
    "mailgun": f"key-{_hex(32)}",
    "mailchimp": f"{_hex(32)}-us12",
    "brevo": f"xkeysib-{_hex(64)}-{_any(16)}",
    "rsa": _pem("RSA "),
    "pkcs8": _pem(""),
    "openssh": _pem("OPENSSH "),
    "pgp": _pem("PGP ", " BLOCK"),
    "age": f"AGE-SECRET-KEY-1{_any(58, _UPPER)}",
    "discord": f"M{_any(23)}.{_any(6)}.{_any(27)}",
    "telegram": f"123456789:AA{_any(33)}",
    "heroku": f"HRKU-AA{_any(58)}",
    "digitalocean": f"dop_v1_{_hex(64)}",
    "hugging face": f"hf_{_any(34, string.ascii_letters)}",
    "docker": f"dckr_pat_{_any(27)}",
    "databricks": f"dapi{_hex(32)}",
    "terraform": f"{_any(14)}.atlasv1.{_any(67)}",
    "vault": f"hvs.{_any(95)}",
    "linear": f"lin_api_{_any(40)}",
    "notion": f"ntn_{_any(11, string.digits)}{_any(35)}",
    "notion before": f"secret_{_any(43)}",
    "shopify": f"shpat_{_hex(32)}",
    "square": f"sq0atp-{_any(22)}",
    "square access": f"EAAA{_any(60)}",
    "azure client": f"{_any(3)}8Q~{_any(34)}",
    "new relic": f"NRAK-{_any(27, _UPPER)}",
    "grafana": f"glsa_{_any(32)}_{_hex(8)}",
    "figma": f"figd_{_any(40)}",
    "airtable": f"pat{_any(14)}.{_hex(64)}",
    "pulumi": f"pul-{_hex(40)}",
    "doppler": f"dp.pt.{_any(43)}",
    "planetscale": f"pscale_tkn_{_any(43)}",
    "fly": f"fm2_{_any(100)}",
    "groq": f"gsk_{_any(52)}",
    "replicate": f"r8_{_any(37)}",
    "supabase": f"sbp_{_hex(40)}",
    "sentry": f"sntrys_{_any(120)}",
    "postman": f"PMAK-{_hex(24)}-{_hex(34)}",
    "dynatrace": f"dt0c01.{_any(24, _UPPER)}.{_any(64, _UPPER)}",
    "tailscale": f"tskey-auth-{_any(40)}",
    "nats": f"SU{_any(56, _BASE32)}",
}
"""A credential that is one by itself, wherever it stands."""

_PASSWORD = _any(14)
IN_CONTEXT: dict[str, tuple[str, str]] = {
    "npmrc": ("//npm.example.org/:_authToken={}", _any(36)),
    "aws secret": ('aws_secret_access_key = "{}"', _any(38) + "/+"),
    "aws secret in an environment": ("AWS_SECRET_ACCESS_KEY={}", _any(38) + "/+"),
    "aws secret in JSON": ('"SecretAccessKey": "{}"', _any(38) + "+/"),
    "heroku in an environment": ("HEROKU_API_KEY={}", "12345678-90ab-cdef-1234-567890abcdef"),
    "twilio token": ('TWILIO_AUTH_TOKEN="{}"', _hex(32)),
    "azure storage": ("AccountName=a;AccountKey={};EndpointSuffix=core.windows.net", f"{_any(86)}=="),
    "azure bus": ("Endpoint=sb://x.example.net/;SharedAccessKeyName=Root;SharedAccessKey={}", f"{_any(43)}="),
    "azure link": ("https://a.blob.example.net/c?sv=2022-11-02&sig={}", f"{_any(42)}%3D"),
    "slack hook": ("https://hooks.slack.com/services/{}", f"T{_any(8, _UPPER)}/B{_any(10, _UPPER)}/{_any(24)}"),
    "discord hook": ("https://discord.com/api/webhooks/{}", f"123456789012345678/{_any(68)}"),
    "postgres": ("postgresql://{}@db.example.com/app", f"app:{_PASSWORD}"),
    "redis": ("redis://{}@cache.example.com:6379/0", f":{_PASSWORD}"),
    "mongodb": ("mongodb+srv://{}@cluster0.example.net/db", f"user:{_PASSWORD}"),
    "amqp": ("amqps://{}@mq.example.net", f"guest:{_PASSWORD}"),
    "address with a token": ("https://{}@git.example.com/a.git", f"0{_any(30)}"),
    "connection string": ("Server=db;User Id=sa;Password={};Encrypt=true", _PASSWORD),
    "basic": ("Authorization: Basic {}", base64.b64encode(f"ada:{_PASSWORD}".encode()).decode()),
    "bearer": ("Authorization: Bearer {}", _any(40)),
    "bearer in lower case": ("authorization: bearer {}", _any(40)),
    "token header": ("Authorization: token {}", _any(40)),
    "curl": ("curl -s -u ada:{} https://example.com", _PASSWORD),
}
"""A text with a place for a credential, and the credential: only both together are one."""
