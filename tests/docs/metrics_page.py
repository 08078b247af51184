"""The reference of figures and of the attributes of spans."""

from __future__ import annotations

from agenthub_runtime.telemetry import conventions
from agenthub_runtime.telemetry.instruments import ALL, prometheus_names


def metrics_page(made: str) -> str:
    """Every figure, and every attribute that a span of ours may carry."""
    rows = ["| figure | kind | series in Prometheus | labels | what it is |", "|---|---|---|---|---|"]
    for item in ALL:
        series = ", ".join(f"`{name}`" for name in prometheus_names(item))
        labels = ", ".join(f"`{label.replace('.', '_')}`" for label in item.labels)
        rows.append(f"| `{item.name}` | {item.kind} | {series} | {labels} | {item.text} |")
    names = sorted(value for name, value in vars(conventions).items() if name.isupper() and "." in str(value))
    attributes = [f"`{name}`" for name in names if "/" not in name]
    return (
        "\n\n".join(
            (
                "# Figures and attributes",
                made,
                "Figures are those of the gateway's `/metrics`, of the address in `AGENTHUB_METRICS` of each"
                " service, and of what is pushed by OTLP ([how](../howto/traces.md)). A figure appears with the"
                " first thing that it counts.",
                "\n".join(rows),
                "## Attributes of spans",
                "Those of models, agents and tools are of"
                f" `{conventions.GENAI_CONVENTIONS}`, others of `{conventions.GENERAL_CONVENTIONS}`;"
                " what no convention knows begins with `agenthub.`.",
                ", ".join(attributes) + ".",
            )
        )
        + "\n"
    )
