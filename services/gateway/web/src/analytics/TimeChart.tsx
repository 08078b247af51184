import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const HEIGHT = 180;
const MARKS = 8;

type Tone = "run" | "ask" | "ok" | "idle" | "ink";

export interface Series {
  label: string;
  values: readonly (number | null)[];
  tone: Tone;
}

interface Props {
  /** `bars` stand on one another in their order, `lines` beside one another; the second line is dashed. */
  kind: "bars" | "lines";
  days: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
}

const PAINT: Record<Tone, string> = {
  run: "--run-solid",
  ask: "--ask-solid",
  ok: "--ok-solid",
  idle: "--idle-solid",
  ink: "--ink-2",
};
const FEW = 3;

/** Each series with those below it, the highest first: the lower ones are painted over it. */
function stacked(series: readonly Series[]): Series[] {
  return series
    .map((one, at) => ({
      ...one,
      values: one.values.map((_, day) =>
        series.slice(0, at + 1).reduce((all, other) => all + (other.values[day] ?? 0), 0),
      ),
    }))
    .reverse();
}

function styleOf(one: Series, at: number, kind: Props["kind"], few: boolean): uPlot.Series {
  const paint = colour(PAINT[one.tone]);
  if (kind === "lines")
    return { label: one.label, stroke: paint, width: 2, points: { show: few }, ...(at ? { dash: [5, 4] } : {}) };
  const bars = uPlot.paths.bars?.({ size: [0.6, 40] });
  const look = { label: one.label, fill: paint, stroke: paint, width: 0, points: { show: false } };
  return bars ? { ...look, paths: bars } : look;
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

/** The colour behind a token; canvases know no `light-dark()`. */
export function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found || token(name);
}

/** What was measured by day; the same numbers are its accessible name. */
export function TimeChart({ kind, days, series, format }: Props) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element || !days.length) return;
    const axis = {
      stroke: colour("--ink-3"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    const drawn = kind === "bars" ? stacked(series) : series;
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { range: () => [(days[0] ?? 0) - 43_200, (days.at(-1) ?? 0) + 43_200] },
          y: { range: (_, __, to) => [0, Math.max(1, to)] },
        },
        axes: [
          {
            ...axis,
            grid: { show: false },
            splits: () => days.filter((_, at) => at % Math.ceil(days.length / MARKS) === 0),
            values: (_, marks) =>
              marks.map((at) =>
                new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" }),
              ),
          },
          { ...axis, size: 64, values: (_, marks) => marks.map(format) },
        ],
        series: [{}, ...drawn.map((one, at) => styleOf(one, at, kind, days.length < FEW))],
      },
      [[...days], ...drawn.map((one) => [...one.values])],
      element,
    );
    const watch = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      chart.destroy();
    };
  }, [kind, days, series, format]);
  const told = series.map(
    (one) => `${one.label}: ${one.values.map((value) => (value === null ? "none" : format(value))).join(", ")}`,
  );
  return (
    <>
      {series.length > 1 && (
        <p className="small ink-3 chart-key" aria-hidden="true">
          {series.map((one, at) => (
            <span key={one.label} className="row">
              <i className={`i-${one.tone} ${kind === "lines" && at ? "dashed-key" : ""}`} />
              {one.label}
            </span>
          ))}
        </p>
      )}
      <div ref={place} className="time-chart" role="img" aria-label={`By day, ${told.join("; ")}`} />
    </>
  );
}
