import type { Span } from "../../api/types";

/** One line of the waterfall: a span, how many stand below it, and whether those are shown. */
export interface Row {
  span: Span;
  id: string;
  below: number;
  open: boolean;
}

export interface Extent {
  from: number;
  length: number;
}

const OF_THE_HUB = new Set(["orchestrator", "projector"]);
const ROOT = "invoke_workflow";

export const idOf = (span: Span): string => `${span.trace_id} ${span.span_id}`;

/** What people and workers have set going; the hub's own decisions and rows are many and short. */
export function isOfWork(span: Span): boolean {
  return !OF_THE_HUB.has(span.service) || span.name.startsWith(ROOT);
}

/** The lines to be shown: spans come with those below each right behind it. */
export function rowsOf(spans: readonly Span[], opened: ReadonlySet<string>, all: boolean): Row[] {
  const rows: Row[] = [];
  let at = 0;
  while (at < spans.length) {
    const span = spans[at];
    if (!span) break;
    const end = endOf(spans, at);
    if (!all && span.depth === 0 && !isOfWork(span)) {
      at = end;
      continue;
    }
    const id = idOf(span);
    const open = opened.has(id);
    rows.push({ span, id, below: end - at - 1, open });
    at = open ? at + 1 : end;
  }
  return rows;
}

function endOf(spans: readonly Span[], at: number): number {
  const depth = spans[at]?.depth ?? 0;
  let end = at + 1;
  while (end < spans.length && (spans[end]?.depth ?? 0) > depth) end += 1;
  return end;
}

export function extentOf(spans: readonly Span[]): Extent {
  if (!spans.length) return { from: 0, length: 1 };
  const from = Math.min(...spans.map((span) => span.offset_ms));
  const to = Math.max(...spans.map((span) => span.offset_ms + span.duration_ms));
  return { from, length: Math.max(to - from, 0.001) };
}

/** Attributes as they are read: by name, the place left out that every span has. */
export function factsOf(span: Span): [string, string][] {
  return Object.entries(span.attributes)
    .map(([name, value]): [string, string] => [name.replace(/^agenthub\./, ""), String(value)])
    .sort(([a], [b]) => a.localeCompare(b));
}
