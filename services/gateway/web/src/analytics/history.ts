import type { MetricHistories } from "../api/types";
import { dollars } from "../format/numbers";
import { duration } from "../format/time";

type Point = MetricHistories["items"][number]["series"][number]["points"][number];

export interface Course {
  name: string;
  note: string;
  values: readonly (number | null)[];
  format: (value: number) => string;
}

const ALWAYS_MEASURED = "agenthub.workers.alive";
const DECIMALS = 1_000;
const rounded = (value: number): string => String(Math.round(value * DECIMALS) / DECIMALS);
const seconds = (value: number): string => (value < 60 ? `${rounded(value)} s` : duration(value));

/** What the hub is asked for. */
export const METRICS = [
  "agenthub.queue.age",
  "agenthub.events",
  "agenthub.projection.delay",
  "gen_ai.client.operation.duration",
  "agenthub.model.cost",
  ALWAYS_MEASURED,
] as const;

/** The beginnings of all steps, in seconds since 1970. */
export function stepsOf(found: MetricHistories): number[] {
  const [first, end] = [Date.parse(found.since) / 1000, Date.parse(found.until) / 1000];
  return Array.from(
    { length: Math.floor((end - first) / found.step_s) + 1 },
    (_, at) => first + at * found.step_s,
  );
}

/** Means have gaps where nothing was measured; a sum is nothing there, as long as the hub ran. */
export function coursesOf(found: MetricHistories, steps: readonly number[]): Course[] {
  const ran = byStep(found, ALWAYS_MEASURED);
  const of = (metric: string, value: (points: Point[]) => number) => {
    const points = byStep(found, metric);
    return steps.map((step) => {
      const known = points.get(step);
      return known ? value(known) : null;
    });
  };
  const sums = (metric: string, share: number) =>
    of(metric, (points) => total(points, (point) => point.value) / share).map(
      (value, at) => value ?? (ran.has(steps[at] ?? 0) ? 0 : null),
    );
  const highest = (points: Point[]) => Math.max(...points.map((point) => point.max));
  return [
    { name: "Age of the oldest order", note: "highest an hour", values: of(METRICS[0], highest), format: seconds },
    { name: "Events a second", note: "by the hour", values: sums(METRICS[1], found.step_s), format: rounded },
    { name: "Read models behind", note: "mean of an hour", values: of(METRICS[2], mean), format: seconds },
    { name: "A model call", note: "mean of an hour, all models", values: of(METRICS[3], mean), format: seconds },
    { name: "Cost an hour", note: "where the price is known", values: sums(METRICS[4], 1), format: dollars },
  ];
}

function byStep(found: MetricHistories, metric: string): Map<number, Point[]> {
  const points = new Map<number, Point[]>();
  for (const series of found.items.find((item) => item.metric === metric)?.series ?? [])
    for (const point of series.points) {
      const at = Date.parse(point.at) / 1000;
      points.set(at, [...(points.get(at) ?? []), point]);
    }
  return points;
}

function mean(points: Point[]): number {
  return (
    total(points, (point) => point.value * point.count) /
    Math.max(
      1,
      total(points, (point) => point.count),
    )
  );
}

function total(points: Point[], of: (point: Point) => number): number {
  return points.reduce((sum, point) => sum + of(point), 0);
}
