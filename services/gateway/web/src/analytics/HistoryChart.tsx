import { useCallback } from "react";
import { colour, type Plot, usePlot } from "./usePlot";

const HEIGHT = 140;
// No line leads to a value that stands alone.
const FEW = 24;
const ROOM_ABOVE = 1.05;

interface Props {
  name: string;
  /** The beginnings of the steps, in seconds since 1970. */
  at: readonly number[];
  values: readonly (number | null)[];
  format: (value: number) => string;
}

/** What was measured by the hour; its accessible name says the highest and the last value. */
export function HistoryChart({ name, at, values, format }: Props) {
  const plot = useCallback((): Plot => {
    const few = values.filter((value) => value !== null).length < FEW;
    const paint = colour("--run-solid");
    const points = { show: few, size: 5, fill: paint };
    return {
      height: HEIGHT,
      at,
      lines: [{ values, look: { label: name, stroke: paint, width: 1.5, points } }],
      top: (highest) => (highest > 0 ? highest * ROOM_ABOVE : 1),
      format,
    };
  }, [name, at, values, format]);
  const place = usePlot(plot);
  const known = values.filter((value) => value !== null);
  const words = known.length
    ? `highest ${format(Math.max(...known))}, last ${format(known.at(-1) ?? 0)}`
    : "nothing was measured";
  return <div ref={place} className="time-chart" role="img" aria-label={`${name}: ${words}`} />;
}
