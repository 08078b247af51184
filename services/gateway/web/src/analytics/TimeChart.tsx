import { useCallback } from "react";
import uPlot from "uplot";
import { colour, type Plot, usePlot } from "./usePlot";

const HEIGHT = 180;
const MARKS = 8;
const HALF_A_DAY_S = 43_200;

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

/** What was measured by day; the same numbers are its accessible name. */
export function TimeChart({ kind, days, series, format }: Props) {
  const plot = useCallback((): Plot | null => {
    const [first, last] = [days[0], days.at(-1)];
    if (first === undefined || last === undefined) return null;
    const drawn = kind === "bars" ? stacked(series) : series;
    return {
      height: HEIGHT,
      at: days,
      lines: drawn.map((one, at) => ({ values: one.values, look: styleOf(one, at, kind, days.length < FEW) })),
      top: (highest) => Math.max(1, highest),
      format,
      named: days.filter((_, at) => at % Math.ceil(days.length / MARKS) === 0),
      span: [first - HALF_A_DAY_S, last + HALF_A_DAY_S],
    };
  }, [kind, days, series, format]);
  const place = usePlot(plot);
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
