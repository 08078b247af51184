const grouped = new Intl.NumberFormat("en-US");
const money = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });

export const count = (value: number): string => grouped.format(value);
export const dollars = (value: number): string => money.format(value);

/** `$20` when there are no cents, for limits. */
export function limit(value: number): string {
  return Number.isInteger(value) ? `$${grouped.format(value)}` : money.format(value);
}

/** `38k`, `1.2M`. */
export function tokens(value: number): string {
  if (value < 1_000) return String(value);
  if (value < 1_000_000) return `${Math.round(value / 1_000)}k`;
  return `${(value / 1_000_000).toFixed(1)}M`;
}

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** `512 bytes`, `3.4 MB`, `27 GB`. */
export function bytes(value: number): string {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  const shown = value / 1_000 ** step;
  return `${step && shown < 10 ? shown.toFixed(1) : Math.round(shown)} ${UNITS[step]}`;
}

/** `1 task`, `3 tasks`. */
export function some(value: number, one: string, many = `${one}s`): string {
  return `${grouped.format(value)} ${value === 1 ? one : many}`;
}
