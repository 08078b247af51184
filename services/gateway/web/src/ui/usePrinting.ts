import { useSyncExternalStore } from "react";
import { flushSync } from "react-dom";

const PAPER = matchMedia("print");
const watchers = new Set<() => void>();
let printing = PAPER.matches;

function set(on: boolean): void {
  if (printing === on) return;
  printing = on;
  // What is printed is what stands there when this returns.
  flushSync(() => {
    for (const watcher of watchers) watcher();
  });
}

window.addEventListener("beforeprint", () => set(true));
window.addEventListener("afterprint", () => set(PAPER.matches));
PAPER.addEventListener("change", () => set(PAPER.matches));

const watch = (watcher: () => void): (() => void) => {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
};

/** Whether the page is made for paper at this moment: nothing folded, nothing that only scrolling would show. */
export const usePrinting = (): boolean => useSyncExternalStore(watch, () => printing);
