import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colour } from "./TimeChart";

const HEIGHT = 140;
// No line leads to a value that stands alone.
const FEW = 24;

interface Props {
  name: string;
  /** The beginnings of the steps, in seconds since 1970. */
  at: readonly number[];
  values: readonly (number | null)[];
  format: (value: number) => string;
}

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** What was measured by the hour; its accessible name says the highest and the last value. */
export function HistoryChart({ name, at, values, format }: Props) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const axis = {
      stroke: colour("--ink-3"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    const paint = colour("--run-solid");
    const few = values.filter((value) => value !== null).length < FEW;
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, to) => [0, to > 0 ? to * 1.05 : 1] } },
        axes: [
          { ...axis, grid: { show: false }, values: (_, marks) => marks.map((mark) => day.format(mark * 1000)) },
          { ...axis, size: 64, values: (_, marks) => marks.map(format) },
        ],
        series: [{}, { label: name, stroke: paint, width: 1.5, points: { show: few, size: 5, fill: paint } }],
      },
      [[...at], [...values]],
      element,
    );
    const watch = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      chart.destroy();
    };
  }, [name, at, values, format]);
  const known = values.filter((value) => value !== null);
  const words = known.length
    ? `highest ${format(Math.max(...known))}, last ${format(known.at(-1) ?? 0)}`
    : "nothing was measured";
  return <div ref={place} className="time-chart" role="img" aria-label={`${name}: ${words}`} />;
}
