export interface DiffLine {
  sign: "+" | "−" | " ";
  text: string;
}

/** A replacement as lines: the common beginning and end once, what is between them as taken away and put in. */
export function lineDiff(before: string, after: string): DiffLine[] {
  const old = before ? before.split("\n") : [];
  const fresh = after ? after.replace(/\n$/, "").split("\n") : [];
  let head = 0;
  while (head < old.length && head < fresh.length && old[head] === fresh[head]) head += 1;
  let tail = 0;
  while (tail < old.length - head && tail < fresh.length - head && old.at(-1 - tail) === fresh.at(-1 - tail))
    tail += 1;
  const same = (text: string): DiffLine => ({ sign: " ", text });
  return [
    ...old.slice(0, head).map(same),
    ...old.slice(head, old.length - tail).map((text): DiffLine => ({ sign: "−", text })),
    ...fresh.slice(head, fresh.length - tail).map((text): DiffLine => ({ sign: "+", text })),
    ...old.slice(old.length - tail).map(same),
  ];
}
