"""The names of attributes, in one place.

Those of models, agents and tools follow the GenAI semantic conventions, whose repository is one of its own now and
whose status is "Development": a later version may rename them, and is taken in here. The others follow the general
semantic conventions; what no convention knows begins with `agenthub.`.
"""

from __future__ import annotations

GENAI_CONVENTIONS = "open-telemetry/semantic-conventions-genai v0.1.0 (Development)"
GENERAL_CONVENTIONS = "open-telemetry/semantic-conventions v1.41.0"

AGENT_NAME = "gen_ai.agent.name"
CONVERSATION_ID = "gen_ai.conversation.id"
OPERATION = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105  the name of an attribute
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_NAME = "gen_ai.tool.name"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"

DB_OPERATION = "db.operation.name"
DB_SYSTEM = "db.system.name"
ERROR_TYPE = "error.type"
HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
MESSAGE_ID = "messaging.message.id"
MESSAGING_DESTINATION = "messaging.destination.name"
MESSAGING_OPERATION = "messaging.operation.name"
MESSAGING_OPERATION_TYPE = "messaging.operation.type"
MESSAGING_SYSTEM = "messaging.system"
PROCESS_COMMAND = "process.executable.name"
PROCESS_EXIT = "process.exit.code"
URL_PATH = "url.path"

AGENT_TYPE = "agenthub.agent.type"
ATTEMPT = "agenthub.attempt"
CALLS = "agenthub.calls"
COST = "agenthub.cost_usd"
DELIVERY = "agenthub.delivery"
EVENT_TYPE = "agenthub.event.type"
EVENTS = "agenthub.events"
GATE = "agenthub.gate"
GOAL_ID = "agenthub.goal.id"
LANE = "agenthub.lane"
LINKED_BY = "agenthub.linked_by"
OUTCOME = "agenthub.outcome"
QUEUE_WAIT = "agenthub.queue.wait_s"
ROUND = "agenthub.round"
SEQUENCE = "agenthub.sequence"
TASK_ID = "agenthub.task.id"
WORKER = "agenthub.worker"
