import { type KeyboardEvent, useRef, useState } from "react";
import type { Span } from "../../api/types";
import { brief, utc } from "../../format/time";
import { type Extent, extentOf, factsOf, type Row, rowsOf } from "./rows";
import "../../styles/trace.css";

const AT_MOST = 2_000;
const NO_TASK = "_";

interface LineOf {
  row: Row;
  extent: Extent;
  chosen: boolean;
  choose: () => void;
  pick: () => void;
}

function Line({ row, extent, chosen, choose, pick }: LineOf) {
  const { span } = row;
  const left = (100 * (span.offset_ms - extent.from)) / extent.length;
  const width = (100 * span.duration_ms) / extent.length;
  const task = span.depth === 0 && span.task_id && span.task_id !== NO_TASK ? span.task_id : "";
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree hears the keys of all its rows
    <div
      role="treeitem"
      className={chosen ? "span-row selected" : "span-row"}
      aria-level={span.depth + 1}
      aria-expanded={row.below ? row.open : undefined}
      aria-selected={chosen}
      tabIndex={chosen ? 0 : -1}
      data-span={row.id}
      onClick={choose}
      onFocus={pick}
    >
      <span className="span-name one-line" style={{ paddingLeft: `${8 + Math.min(span.depth, 12) * 14}px` }}>
        <i className="span-fold" aria-hidden="true">
          {row.below ? (row.open ? "▾" : "▸") : ""}
        </i>
        {span.error !== null && <b className="span-failed">× failed </b>}
        {span.name} {task && <span className="ink-3">{task}</span>}{" "}
        {row.below > 0 && !row.open && <span className="ink-3 figures">+{row.below}</span>}
      </span>
      <span className="span-track" aria-hidden="true">
        <i
          className={`span-bar of-${span.service.split(".")[0]}${span.error === null ? "" : " failed"}`}
          style={{ left: `min(${left}%, 100% - 2px)`, width: `max(2px, ${width}%)` }}
        />
      </span>
      <span className="span-time figures small">{brief(span.duration_ms)}</span>
    </div>
  );
}

function Facts({ span }: { span: Span }) {
  return (
    <section className="span-facts" aria-label={`About ${span.name}`}>
      <p className="break">
        <b>{span.name}</b>
      </p>
      <dl className="facts-list">
        <dt>Service</dt>
        <dd>{span.service}</dd>
        <dt>Began</dt>
        <dd>{utc(span.at)}</dd>
        <dt>Took</dt>
        <dd>{brief(span.duration_ms)}</dd>
        {span.error !== null && (
          <>
            <dt>Failed</dt>
            <dd className="break">{span.error}</dd>
          </>
        )}
        {factsOf(span).map(([name, value]) => (
          <div key={name} className="contents">
            <dt>{name}</dt>
            <dd className="break">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function stepOf(key: string, rows: readonly Row[], at: number): number {
  const found = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[key];
  if (found !== undefined) return Math.max(0, Math.min(rows.length - 1, found));
  const depth = rows[at]?.span.depth ?? 0;
  let above = at;
  while (above > 0 && (rows[above]?.span.depth ?? 0) >= depth) above -= 1;
  return depth ? above : at;
}

/** Spans by time, each with what it did below it; arrows move, open and close. */
export function Waterfall({ spans, all, label }: { spans: readonly Span[]; all: boolean; label: string }) {
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [picked, setPicked] = useState("");
  const tree = useRef<HTMLDivElement>(null);
  const rows = rowsOf(spans, opened, all);
  const shown = rows.slice(0, AT_MOST);
  const extent = extentOf(shown.map((row) => row.span));
  const at = Math.max(
    0,
    shown.findIndex((row) => row.id === picked),
  );
  const chosen = shown[at];
  function fold(row: Row, open: boolean) {
    const next = new Set(opened);
    if (open) next.add(row.id);
    else next.delete(row.id);
    setOpened(next);
  }
  function go(to: number) {
    const id = shown[to]?.id ?? "";
    setPicked(id);
    requestAnimationFrame(() =>
      tree.current?.querySelector<HTMLElement>(`[data-span="${CSS.escape(id)}"]`)?.focus({ preventScroll: false }),
    );
  }
  function onKey(event: KeyboardEvent) {
    if (!chosen || event.metaKey || event.ctrlKey || event.altKey) return;
    const opens = chosen.below > 0 && !chosen.open;
    if (event.key === "Enter" || event.key === " ") fold(chosen, opens);
    else if (event.key === "ArrowRight" && opens) fold(chosen, true);
    else if (event.key === "ArrowLeft" && chosen.open) fold(chosen, false);
    else if (["ArrowDown", "ArrowUp", "ArrowLeft", "Home", "End"].includes(event.key))
      go(stepOf(event.key, shown, at));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  function choose(row: Row) {
    setPicked(row.id);
    if (row.below) fold(row, !row.open);
  }
  return (
    <div className="stack">
      <div ref={tree} role="tree" className="waterfall" aria-label={label} onKeyDown={onKey}>
        {shown.map((row) => (
          <Line
            key={row.id}
            row={row}
            extent={extent}
            chosen={row === chosen}
            choose={() => choose(row)}
            pick={() => setPicked(row.id)}
          />
        ))}
      </div>
      {rows.length > shown.length && (
        <p className="small ink-3">{rows.length - shown.length} more lines are not shown: close some.</p>
      )}
      {chosen && <Facts span={chosen.span} />}
    </div>
  );
}
