"""One cheap look at the model behind a worker: whether the address answers, takes the key, and knows the model.

It asks for a count of tokens, which costs nothing. Only a server that cannot count is asked for a reply of one
token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agenthub_events.agent_types import agent_type_of
from agenthub_runtime.agents.load import built_in_files, hub_files, load_agents
from agenthub_runtime.jetstream.fleet import ModelReport
from agenthub_worker.domain.model import ModelFault, ModelRequest
from agenthub_worker.errors import ProviderMissing
from agenthub_worker.llm.client import is_loopback
from agenthub_worker.llm.faults import WRONG_API, answer_fault, connection_fault, wrong_api
from agenthub_worker.llm.pricing import PRICES_AS_OF, price_is_known
from agenthub_worker.llm.providers import Provider
from agenthub_worker.llm.wires import open_client

if TYPE_CHECKING:
    import httpx2

_PATIENCE_S = 10.0
# The hub waits 32 s for all of it.
_ONE_TOKEN_PATIENCE_S = 20.0
_CANNOT_COUNT = frozenset({404, 405, 501})
_ASKED = "Is anybody there?"


def report_of(
    provider: Provider, types: tuple[str, ...], data_dir: Path | None, *, worker: str = ""
) -> ModelReport:
    """What agents of `types` would ask, and what is known of its price; a type without a model is left out."""
    agents = load_agents(built_in_files(), hub_files(data_dir))
    models: dict[str, str] = {}
    for agent_type in types:
        if agent_type != "noop":
            file = agents.find(agent_type, agent_type_of(agent_type))
            with suppress(ProviderMissing):
                models[agent_type] = provider.model_for(agent_type, file.model)
    return ModelReport(
        provider=provider.name,
        label=provider.label,
        models=models,
        prices=_prices(provider, models),
        worker=worker,
    )


def _prices(provider: Provider, models: Mapping[str, str]) -> str:
    if provider.name == "rehearsal":
        return "nothing: a script answers"
    unknown = sorted({model for model in models.values() if not price_is_known(model)})
    if not unknown:
        return f"agenthub's table of {PRICES_AS_OF}"
    known = f"agenthub's table of {PRICES_AS_OF}; " if len(unknown) < len(set(models.values())) else ""
    return f"{known}not known for {', '.join(unknown)}: its calls are counted, and limits of money refuse it"


async def probed(report: ModelReport, provider: Provider) -> ModelReport:
    """`report` with what one call showed. Never raises for what the server does."""
    model = next(iter(report.models.values()), "")
    try:
        found = await _probe(provider, model)
    except ModelFault as fault:
        return msgspec.structs.replace(report, state="failed", found=fault.message)
    return msgspec.structs.replace(report, state="ok", found=found)


async def _probe(provider: Provider, model: str) -> str:
    answer = await _count(provider, model)
    if answer.is_success:
        counted = _json(answer)
        if isinstance(counted, dict) and "input_tokens" in counted:
            return f"answers for {model} (it counted tokens; no charge)"
        if not isinstance(counted, dict) or "error" not in counted:
            raise wrong_api(provider.place, "something else")
    fault = answer_fault(answer.status_code, answer.headers, _json(answer), provider.place, model)
    if answer.status_code not in _CANNOT_COUNT or (fault.kind == "config" and WRONG_API not in fault.message):
        raise fault
    return await _one_token(provider, model)


async def _count(provider: Provider, model: str) -> httpx2.Response:
    import httpx2

    async with httpx2.AsyncClient(
        timeout=_PATIENCE_S, trust_env=not is_loopback(provider.base_url), follow_redirects=False
    ) as client:
        try:
            return await client.post(
                f"{provider.base_url.rstrip('/')}/v1/messages/count_tokens",
                headers={"x-api-key": provider.api_key, "anthropic-version": "2023-06-01"},
                json={"model": model, "messages": [{"role": "user", "content": _ASKED}]},
            )
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise connection_fault(error, provider.place) from error


async def _one_token(provider: Provider, model: str) -> str:
    client = open_client(provider, idle_timeout_s=_ONE_TOKEN_PATIENCE_S)
    request = ModelRequest(model=model, system="", messages=[{"role": "user", "content": _ASKED}], max_tokens=1)
    try:
        await client.complete(request, on_activity=lambda _: None)
    finally:
        await client.aclose()
    return f"answers for {model} (a reply of one token; it cannot count)"


def _json(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text


class ModelReporter:
    """Answers the hub's question about the model, with one probe a minute at most."""

    KEPT_S = 60.0

    def __init__(self, provider: Provider, report: ModelReport) -> None:
        self._provider = provider
        self._report = report
        self._asking = asyncio.Lock()
        self._probed: ModelReport | None = None
        self._until = 0.0

    async def answer(self, probe: bool) -> ModelReport:
        """The report; with `probe` also what a call showed, now or within the last minute."""
        if not probe:
            return self._report
        async with self._asking:
            clock = asyncio.get_running_loop().time
            if self._probed is None or clock() >= self._until:
                self._probed = await probed(self._report, self._provider)
                self._until = clock() + self.KEPT_S
            return self._probed
