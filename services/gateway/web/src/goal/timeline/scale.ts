/** A stretch of time in ms since 1970. */
export interface Span {
  from: number;
  to: number;
}

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
const AT_MOST = 8;

/** Round times within the span, at most eight. */
export function ticks({ from, to }: Span): number[] {
  const step = (STEPS_S.find((seconds) => (to - from) / 1000 / seconds <= AT_MOST) ?? 86400) * 1000;
  const found: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}

/** Percent from the left; outside the span it is cut. */
export function place(at: number, { from, to }: Span): number {
  return Math.min(100, Math.max(0, (100 * (at - from)) / Math.max(1, to - from)));
}
