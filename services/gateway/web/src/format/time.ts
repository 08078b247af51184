const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortClock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});

const two = (value: number): string => String(value).padStart(2, "0");

/** `48 s`, `2 m 06 s`, `9 h 01 m`, `3 d 4 h`; seconds in. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} m ${two(whole % MINUTE)} s`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${two(Math.floor((whole % HOUR) / MINUTE))} m`;
  const hours = Math.floor((whole % DAY) / HOUR);
  return `${Math.floor(whole / DAY)} d${hours ? ` ${hours} h` : ""}`;
}

/** `0.4 ms`, `559 ms`, `10.6 s`, then as `duration`; milliseconds in. */
export function brief(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  return milliseconds < 100_000 ? `${(milliseconds / 1_000).toFixed(1)} s` : duration(milliseconds / 1_000);
}

/** `22:27:41` today, `17 Nov, 22:27` before. */
export function moment(at: string | null | undefined, now: number): string {
  if (!at) return "";
  const date = new Date(at);
  return isToday(date, now) ? clock.format(date) : dayAndClock.format(date);
}

/** `22:27` today, `17 Nov, 22:27` before. */
export function shortMoment(at: string | null | undefined, now: number): string {
  if (!at) return "";
  const date = new Date(at);
  return isToday(date, now) ? shortClock.format(date) : dayAndClock.format(date);
}

export function clockOf(ms: number, withSeconds = true): string {
  return (withSeconds ? clock : shortClock).format(new Date(ms));
}

/** UTC, for whoever hovers. */
export function utc(at: string | null | undefined, sequence?: number): string {
  if (!at) return "";
  return `${new Date(at).toISOString().replace("T", " ").replace("Z", " UTC")}${sequence ? `, event #${sequence}` : ""}`;
}

/** Seconds from a time until `now` (ms since 1970). */
export function secondsSince(at: string | null | undefined, now: number): number {
  return at ? Math.max(0, (now - Date.parse(at)) / 1000) : 0;
}

function isToday(date: Date, now: number): boolean {
  return date.toDateString() === new Date(now).toDateString();
}
