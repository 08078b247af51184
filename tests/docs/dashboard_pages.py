"""What stands on the dashboards of `deploy/grafana/dashboards`."""

from __future__ import annotations

from tests.docs.dashboards import Dashboard, Panel


def rate(name: str, by: str = "", where: str = "") -> str:
    """What a counter gains a second."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({name}{where}[$__rate_interval]))"


def quantile(share: float, name: str, by: str = "", where: str = "") -> str:
    """The time that this share of what a histogram has measured stays below."""
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate({name}_bucket{where}[$__rate_interval])))"


FLEET = Dashboard(
    uid="agenthub-fleet",
    title="agenthub: fleet",
    panels=(
        Panel(title="Workers alive", queries={"{{agent_type}}": "max by (agent_type) (agenthub_workers_alive)"}),
        Panel(
            title="Busy slots",
            queries={
                "busy": "sum(max by (worker) (agenthub_workers_busy))",
                "slots": "sum(max by (worker) (agenthub_workers_slots))",
            },
        ),
        Panel(
            title="Orders that wait",
            queries={"{{agent_type}} {{lane}}": "max by (agent_type, lane) (agenthub_queue_waiting)"},
        ),
        Panel(
            title="Orders that are worked on",
            queries={"{{agent_type}}": "sum by (agent_type) (max by (agent_type, lane) (agenthub_queue_held))"},
        ),
        Panel(
            title="Age of the oldest order",
            unit="s",
            queries={"{{agent_type}} {{lane}}": "max by (agent_type, lane) (agenthub_queue_age_seconds)"},
        ),
        Panel(
            title="Wait in the queue",
            unit="s",
            queries={
                "p50 {{agent_type}}": quantile(0.5, "agenthub_queue_wait_seconds", "agent_type"),
                "p95 {{agent_type}}": quantile(0.95, "agenthub_queue_wait_seconds", "agent_type"),
            },
        ),
        Panel(
            title="Pulls that are open",
            queries={"{{agent_type}}": "sum by (agent_type) (max by (agent_type, lane) (agenthub_queue_pulls))"},
        ),
        Panel(
            title="Orders given out again",
            quiet=True,
            queries={"{{agent_type}} {{lane}}": rate("agenthub_queue_redeliveries_total", "agent_type, lane")},
        ),
        Panel(
            title="Orders held that came again",
            queries={"{{agent_type}} {{lane}}": "max by (agent_type, lane) (agenthub_queue_redelivered)"},
        ),
        Panel(
            title="Time of an attempt, p95",
            unit="s",
            queries={"{{agent_type}}": quantile(0.95, "agenthub_attempt_duration_seconds", "agent_type")},
        ),
        Panel(
            title="Orchestrators that decide",
            kind="stat",
            queries={"orchestrators": "max(agenthub_orchestrators_alive)"},
        ),
        Panel(
            title="Versions",
            kind="table",
            queries={"{{service}}": "max by (service, version) (agenthub_build_info)"},
        ),
    ),
)

GOALS = Dashboard(
    uid="agenthub-goals",
    title="agenthub: goals",
    asks=(("goal", "Goal"),),
    panels=(
        Panel(title="Goals by status", queries={"{{status}}": "max by (status) (agenthub_goals)"}),
        Panel(
            title="Goals that ended",
            quiet=True,
            queries={"{{outcome}}": rate("agenthub_goal_outcomes_total", "outcome")},
        ),
        Panel(
            title="Attempts by how they ended",
            queries={"{{kind}} {{outcome}}": rate("agenthub_task_outcomes_total", "kind, outcome")},
        ),
        Panel(
            title="Verdicts of gates by round",
            queries={
                "{{gate}} {{round}} {{outcome}}": rate("agenthub_gate_outcomes_total", "gate, round, outcome")
            },
        ),
        Panel(title="Questions that wait", kind="stat", queries={"questions": "max(agenthub_questions_open)"}),
        Panel(
            title="Age of the oldest question",
            unit="s",
            kind="stat",
            queries={"age": "max(agenthub_questions_age_seconds)"},
        ),
        Panel(title="Dead letters", kind="stat", queries={"dead letters": "max(agenthub_dead_letters_open)"}),
        Panel(
            title="Tool calls that fail",
            quiet=True,
            queries={
                "{{gen_ai_tool_name}}": rate(
                    "gen_ai_execute_tool_duration_seconds_count", "gen_ai_tool_name", '{error_type!=""}'
                )
            },
        ),
        Panel(
            title="The goal's trace",
            kind="table",
            source="tempo",
            queries={
                "trace": '{ span.agenthub.goal.id = "$goal" && span.gen_ai.operation.name = "invoke_workflow" }'
            },
        ),
        Panel(
            title="What failed in the goal",
            kind="table",
            source="tempo",
            queries={
                "failed": '{ span.agenthub.goal.id = "$goal" && status = error }'
                " | select(span.agenthub.task.id, span.error.type)"
            },
        ),
        Panel(
            title="Attempts of the goal",
            kind="table",
            source="tempo",
            queries={
                "attempts": '{ span.agenthub.goal.id = "$goal" && kind = consumer && span.agenthub.attempt > 0 }'
                " | select(span.agenthub.task.id, span.agenthub.outcome, span.agenthub.cost_usd,"
                " span.agenthub.queue.wait_s)"
            },
        ),
        Panel(
            title="The goal's events, as the services wrote them",
            kind="logs",
            source="loki",
            queries={"events": '{service_name=~"agenthub-.+"} | json | goal_id="$goal" | event="event"'},
        ),
    ),
)

_CACHED = 'gen_ai_client_token_usage_sum{gen_ai_token_type="cache_read"}[$__rate_interval]'
_INPUT = 'gen_ai_client_token_usage_sum{gen_ai_token_type="input"}[$__rate_interval]'
COST = Dashboard(
    uid="agenthub-cost",
    title="agenthub: cost and models",
    panels=(
        Panel(
            title="Cost an hour",
            unit="currencyUSD",
            queries={
                "{{gen_ai_request_model}}": "3600 * " + rate("agenthub_model_cost_total", "gen_ai_request_model")
            },
        ),
        Panel(
            title="Cost by agent, last day",
            unit="currencyUSD",
            kind="barchart",
            queries={
                "{{gen_ai_agent_name}}": "sum by (gen_ai_agent_name) (increase(agenthub_model_cost_total[1d]))"
            },
        ),
        Panel(
            title="Tokens a minute",
            queries={
                "{{gen_ai_token_type}}": "60 * " + rate("gen_ai_client_token_usage_sum", "gen_ai_token_type")
            },
        ),
        Panel(
            title="Share of the input that came out of the cache",
            unit="percentunit",
            queries={"share": f"sum(rate({_CACHED})) / sum(rate({_INPUT}))"},
        ),
        Panel(
            title="Time of a model call",
            unit="s",
            queries={
                "p50 {{gen_ai_request_model}}": quantile(
                    0.5, "gen_ai_client_operation_duration_seconds", "gen_ai_request_model"
                ),
                "p95 {{gen_ai_request_model}}": quantile(
                    0.95, "gen_ai_client_operation_duration_seconds", "gen_ai_request_model"
                ),
            },
        ),
        Panel(
            title="Model calls",
            unit="reqps",
            queries={
                "{{gen_ai_request_model}}": rate(
                    "gen_ai_client_operation_duration_seconds_count", "gen_ai_request_model"
                )
            },
        ),
        Panel(
            title="Model calls that fail",
            quiet=True,
            queries={
                "{{error_type}}": rate(
                    "gen_ai_client_operation_duration_seconds_count", "error_type", '{error_type!=""}'
                )
            },
        ),
        Panel(
            title="Attempts put aside because of the model",
            quiet=True,
            queries={
                "{{gen_ai_request_model}} {{error_type}}": rate(
                    "agenthub_model_rests_total", "gen_ai_request_model, error_type"
                )
            },
        ),
        Panel(
            title="Time of a tool call, p95",
            unit="s",
            queries={
                "{{gen_ai_tool_name}}": quantile(0.95, "gen_ai_execute_tool_duration_seconds", "gen_ai_tool_name")
            },
        ),
    ),
)

BUS = Dashboard(
    uid="agenthub-bus",
    title="agenthub: bus and read models",
    panels=(
        Panel(title="Events a second", queries={"{{type}}": rate("agenthub_events_total", "type")}),
        Panel(
            title="Appends by what became of them",
            queries={"{{result}}": rate("agenthub_append_duration_seconds_count", "result")},
        ),
        Panel(
            title="Time of an append",
            unit="s",
            queries={
                "p50": quantile(0.5, "agenthub_append_duration_seconds"),
                "p99": quantile(0.99, "agenthub_append_duration_seconds"),
            },
        ),
        Panel(
            title="Connections to NATS that were lost",
            queries={"{{job}} {{instance}}": "max by (job, instance) (agenthub_nats_reconnects)"},
        ),
        Panel(
            title="Spans that were not kept",
            queries={"{{job}}": rate("agenthub_spans_lost_total", "job")},
            quiet=True,
        ),
        Panel(title="Events that the read models lack", queries={"events": "max(agenthub_projection_lag_events)"}),
        Panel(
            title="For how long they lack them",
            unit="s",
            queries={"seconds": "max(agenthub_projection_lag_time_seconds)"},
        ),
        Panel(
            title="From an event to its rows",
            unit="s",
            queries={
                "p50": quantile(0.5, "agenthub_projection_delay_seconds"),
                "p99": quantile(0.99, "agenthub_projection_delay_seconds"),
            },
        ),
        Panel(
            title="Time of a batch, p99",
            unit="s",
            queries={"p99": quantile(0.99, "agenthub_projection_batch_duration_seconds")},
        ),
        Panel(
            title="Log and read models",
            queries={"log": "max(agenthub_log_sequence)", "read models": "max(agenthub_projection_position)"},
        ),
        Panel(
            title="Bytes by stream",
            unit="bytes",
            queries={"{{stream}}": "max by (stream) (agenthub_stream_size_bytes)"},
        ),
        Panel(title="Messages by stream", queries={"{{stream}}": "max by (stream) (agenthub_stream_messages)"}),
        Panel(title="Consumers by stream", queries={"{{stream}}": "max by (stream) (agenthub_stream_consumers)"}),
        Panel(
            title="Disk that is free",
            unit="percentunit",
            queries={"free": "min(agenthub_disk_free_bytes / agenthub_disk_size_bytes)"},
        ),
    ),
)

SLO = Dashboard(
    uid="agenthub-slo",
    title="agenthub: service levels",
    panels=(
        Panel(
            title="Requests",
            unit="reqps",
            queries={
                "{{http_response_status_code}}": rate(
                    "http_server_request_duration_seconds_count", "http_response_status_code"
                )
            },
        ),
        Panel(
            title="Time to an answer",
            unit="s",
            queries={
                "p50": quantile(0.5, "http_server_request_duration_seconds"),
                "p99": quantile(0.99, "http_server_request_duration_seconds"),
            },
        ),
        Panel(
            title="Share of requests that fail",
            unit="percentunit",
            queries={"5 min": "agenthub:http_errors:ratio_rate5m", "1 h": "agenthub:http_errors:ratio_rate1h"},
        ),
        Panel(
            title="How fast the error budget burns (1: it just lasts)",
            queries={
                "5 min": "agenthub:http_errors:ratio_rate5m / 0.005",
                "1 h": "agenthub:http_errors:ratio_rate1h / 0.005",
                "6 h": "agenthub:http_errors:ratio_rate6h / 0.005",
            },
        ),
        Panel(
            title="Share of reads slower than a second",
            unit="percentunit",
            queries={"5 min": "agenthub:http_slow:ratio_rate5m", "1 h": "agenthub:http_slow:ratio_rate1h"},
        ),
        Panel(
            title="Slowest routes, p99",
            unit="s",
            queries={
                "{{http_route}}": "topk(5, "
                + quantile(0.99, "http_server_request_duration_seconds", "http_route")
                + ")"
            },
        ),
        Panel(title="Alerts", kind="table", quiet=True, queries={"{{alertname}}": 'ALERTS{alertstate="firing"}'}),
    ),
)

DASHBOARDS = (FLEET, GOALS, COST, BUS, SLO)
