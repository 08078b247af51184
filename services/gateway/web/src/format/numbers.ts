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

/** `1 task`, `3 tasks`. */
export function some(value: number, one: string, many = `${one}s`): string {
  return `${grouped.format(value)} ${value === 1 ? one : many}`;
}
