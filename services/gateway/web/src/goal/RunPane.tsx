import { type ReactNode, useState } from "react";
import type { Attempt, Goal } from "../api/types";
import { useStored } from "../kept/useStored";
import { Grip } from "../ui/Grip";
import { Icon } from "../ui/icons";
import { GraphView } from "./graph/GraphView";
import { TaskTable } from "./graph/TaskTable";
import type { Model } from "./model";
import { Timeline } from "./timeline/Timeline";

const GRAPH = 222;
const LOWEST = 120;
const HIGHEST = 340;
const WHOLE = 560;
const PANEL = 500;

interface Props {
  goal: Goal;
  model: Model;
  attempts: readonly Attempt[];
  selected: string;
  now: number;
  over: boolean;
  table: boolean;
  open: (id: string) => void;
  setTable: (on: boolean) => void;
  events: ReactNode;
  panel: ReactNode;
}

function Legend({ table, setTable }: { table: boolean; setTable: (on: boolean) => void }) {
  return (
    <div className="legend small ink-3">
      <span className="legend-items" aria-hidden="true">
        <i className="legend-box" />
        planned
        <i className="legend-box dashed" />
        added later
        <svg viewBox="0 0 26 14" width="26" height="14">
          <path d="M4 .7h18l3 6.3-3 6.3H4L1 7z" />
        </svg>
        gate
      </span>
      <button
        type="button"
        className="button small light"
        aria-pressed={table}
        aria-keyshortcuts="v"
        onClick={() => setTable(!table)}
      >
        <Icon name={table ? "graph" : "table"} />
        {table ? "Show as graph" : "Show as table"}
      </button>
    </div>
  );
}

/** Graph over timeline and events, the panel of the selected task beside them. */
export function RunPane({
  goal,
  model,
  attempts,
  selected,
  now,
  over,
  table,
  open,
  setTable,
  events,
  panel,
}: Props) {
  const [chosen, setHeight] = useStored<number | null>("agenthub-graph", null);
  const [drawn, setDrawn] = useState(GRAPH);
  const height = chosen ?? Math.min(HIGHEST, Math.max(LOWEST, drawn));
  const [width, setWidth] = useStored("agenthub-panel", PANEL);
  // Walking with the arrows marks a node; only Enter or a click opens its panel.
  const [cursor, setCursor] = useState("");
  const enter = (id: string) => {
    setCursor("");
    open(id);
  };
  const planning = !model.nodes.length;
  return (
    <div
      className="run-pane"
      role="tabpanel"
      aria-label="Run"
      style={{ "--graph": `${height}px`, "--panel": `${width}px` }}
    >
      <Legend table={table} setTable={setTable} />
      <div className="graph-pane">
        {planning ? (
          <p className="empty-line">
            {goal.status === "accepted"
              ? "In the log; the planner has not begun."
              : "The planner is at work; the tasks will stand here."}
          </p>
        ) : table ? (
          <TaskTable model={model} selected={selected} now={now} open={open} />
        ) : (
          <GraphView
            model={model}
            selected={cursor || selected}
            now={now}
            select={setCursor}
            open={enter}
            measured={setDrawn}
          />
        )}
      </div>
      <Grip
        axis="y"
        label="Height of the graph"
        size={height}
        least={120}
        most={700}
        resize={setHeight}
        reset={() => setHeight(chosen === null ? WHOLE : null)}
      />
      <div className={panel ? "below with-panel" : "below"}>
        <div className="below-left scrolls">
          <Timeline model={model} attempts={attempts} selected={selected} now={now} over={over} open={open} />
          {events}
        </div>
        {panel && (
          <Grip
            axis="x"
            label="Width of the panel"
            size={width}
            least={340}
            most={900}
            resize={setWidth}
            reset={() => setWidth(PANEL)}
          />
        )}
        {panel}
      </div>
    </div>
  );
}
