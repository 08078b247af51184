import { type RefObject, useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

const VALUES_PX = 64;

/** What a chart shows; everything else is alike in all of them. */
export interface Plot {
  height: number;
  /** Seconds since 1970, one for each value of every line. */
  at: readonly number[];
  lines: readonly { values: readonly (number | null)[]; look: uPlot.Series }[];
  /** The upper end of the scale, by the highest value. */
  top: (highest: number) => number;
  format: (value: number) => string;
  /** Which times are named; by itself the chart chooses. */
  named?: readonly number[];
  /** From and to, in seconds since 1970; by itself from the first value to the last one. */
  span?: readonly [number, number];
}

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** The colour behind a token; canvases know no `light-dark()`. */
export function colour(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found || getComputedStyle(document.documentElement).getPropertyValue(name);
}

function optionsOf(plot: Plot, width: number): uPlot.Options {
  const { height, lines, top, format, named, span } = plot;
  const axis = {
    stroke: colour("--ink-3"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: span ? { range: () => [span[0], span[1]] } : {},
      y: { range: (_, __, highest) => [0, top(highest)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        ...(named ? { splits: () => [...named] } : {}),
        values: (_, marks) => marks.map((mark) => day.format(mark * 1000)),
      },
      { ...axis, size: VALUES_PX, values: (_, marks) => marks.map(format) },
    ],
    series: [{}, ...lines.map((line) => line.look)],
  };
}

/**
 * Draws into the element that the answer is put on, as wide as that is; anew when `plot` is another one or the scheme
 * changes. It answers null as long as there is nothing to draw.
 */
export function usePlot(plot: () => Plot | null): RefObject<HTMLDivElement | null> {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    let chart: uPlot | null = null;
    const draw = () => {
      chart?.destroy();
      const wanted = plot();
      chart =
        wanted &&
        new uPlot(
          optionsOf(wanted, element.clientWidth),
          [[...wanted.at], ...wanted.lines.map((line) => [...line.values])],
          element,
        );
    };
    draw();
    const resized = new ResizeObserver(() => {
      if (chart) chart.setSize({ width: element.clientWidth, height: chart.height });
    });
    resized.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    const chosen = new MutationObserver(draw);
    chosen.observe(document.documentElement, { attributeFilter: ["data-scheme"] });
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", draw);
      chosen.disconnect();
      chart?.destroy();
    };
  }, [plot]);
  return place;
}
