import type { Submit } from "../api/types";

/** The form as it is filled in; texts as they stand in their fields. */
export interface Draft {
  goal: string;
  requirements: string[];
  repository: string;
  test_command: string;
  setup: string;
  network: string;
  max_time: string;
  max_cost: string;
  max_calls: string;
  priority: Submit["priority"];
  autonomy: Submit["autonomy"];
  must_pass_tests: boolean;
  require_security_audit: boolean;
}

export const EMPTY: Draft = {
  goal: "",
  requirements: [],
  repository: "",
  test_command: "",
  setup: "",
  network: "",
  max_time: "24 hours",
  max_cost: "",
  max_calls: "",
  priority: "normal",
  autonomy: "full",
  must_pass_tests: true,
  require_security_audit: true,
};

/** Commands, one on each line. */
const linesOf = (text: string): string[] => text.split("\n").flatMap((line) => line.trim() || []);

/** A number; what is none goes to the hub as it is, which refuses it. */
const numberIn = (text: string): number | string => (Number.isFinite(Number(text)) ? Number(text) : text);

/** Hosts, however they are kept apart. */
const hostsOf = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

/** The body of `POST /api/v1/goals`; what says nothing of its own is left out. */
export function bodyOf(draft: Draft): Partial<Submit> {
  const money = draft.max_cost.replace(/[$\s]/g, "");
  return {
    goal: draft.goal.trim(),
    ...(draft.requirements.length ? { requirements: draft.requirements } : {}),
    constraints: {
      ...(draft.max_time.trim() ? { max_time: draft.max_time.trim() } : {}),
      ...(money ? { max_cost_usd: numberIn(money) } : {}),
      ...(draft.max_calls.trim() ? { max_llm_calls: numberIn(draft.max_calls) } : {}),
      ...(hostsOf(draft.network).length ? { network: hostsOf(draft.network) } : {}),
      must_pass_tests: draft.must_pass_tests,
      require_security_audit: draft.require_security_audit,
    },
    ...(draft.priority === "normal" ? {} : { priority: draft.priority }),
    ...(draft.repository.trim() ? { repository: draft.repository.trim() } : {}),
    ...(draft.test_command.trim() ? { test_command: draft.test_command.trim() } : {}),
    ...(linesOf(draft.setup).length ? { setup: linesOf(draft.setup) } : {}),
    ...(draft.autonomy === "full" ? {} : { autonomy: draft.autonomy }),
  } as Partial<Submit>;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const numeral = (text: string): string => (/^[\d.]+$/.test(text) ? text : quoted(text));

export function curlOf(draft: Draft): string {
  return `curl -X POST ${location.origin}/api/v1/goals \\\n -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(bodyOf(draft), null, 1))}`;
}

export function commandOf(draft: Draft): string {
  const money = draft.max_cost.replace(/[$\s]/g, "");
  const parts = [
    `agenthub goal submit ${quoted(draft.goal.trim() || "…")}`,
    ...draft.requirements.map((text) => `-r ${quoted(text)}`),
    draft.max_time.trim() && `--max-time ${quoted(draft.max_time.trim())}`,
    money && `--max-cost-usd ${numeral(money)}`,
    draft.max_calls && `--max-llm-calls ${numeral(draft.max_calls)}`,
    draft.priority !== "normal" && `--priority ${draft.priority}`,
    draft.repository.trim() && `--repository ${quoted(draft.repository.trim())}`,
    draft.test_command.trim() && `--test-command ${quoted(draft.test_command.trim())}`,
    ...linesOf(draft.setup).map((line) => `--setup ${quoted(line)}`),
    ...hostsOf(draft.network).map((host) => `--network ${quoted(host)}`),
    draft.autonomy !== "full" && `--autonomy ${draft.autonomy}`,
  ].filter(Boolean);
  return parts.join(" \\\n ");
}

/** Whether the command line can say all of it: two constraints have no option there. */
export const sayable = (draft: Draft): boolean => draft.must_pass_tests && draft.require_security_audit;
