import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const HEIGHT = 180;
const MARKS = 8;

interface Props {
  label: string;
  days: readonly number[];
  values: readonly number[];
  format: (value: number) => string;
}

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

/** The colour behind a token; canvases know no `light-dark()`. */
function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found || token(name);
}

/** A series by day as bars; the same numbers stand in the table of the page. */
export function TimeChart({ label, days, values, format }: Props) {
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
    const bars = uPlot.paths.bars?.({ size: [0.6, 40] });
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
            splits: () => days.filter((_, at) => at % Math.ceil(days.length / MARKS) === 0),
            values: (_, marks) =>
              marks.map((at) =>
                new Date(at * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short" }),
              ),
          },
          { ...axis, size: 56, values: (_, marks) => marks.map(format) },
        ],
        series: [
          {},
          {
            label,
            fill: colour("--run-solid"),
            stroke: colour("--run-solid"),
            width: 0,
            points: { show: false },
            ...(bars ? { paths: bars } : {}),
          },
        ],
      },
      [[...days], [...values]],
      element,
    );
    const watch = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      chart.destroy();
    };
  }, [days, values, format, label]);
  return (
    <div
      ref={place}
      className="time-chart"
      role="img"
      aria-label={`${label} by day: ${values.map(format).join(", ")}`}
    />
  );
}
