import { useSyncExternalStore } from "react";
import { hubNow } from "./hubTime";

const EVERY_MS = 1_000;
let now = hubNow();
let timer: ReturnType<typeof setInterval> | null = null;
const watchers = new Set<() => void>();

function watch(watcher: () => void): () => void {
  watchers.add(watcher);
  timer ??= setInterval(() => {
    now = hubNow();
    for (const tell of watchers) tell();
  }, EVERY_MS);
  return () => {
    watchers.delete(watcher);
    if (watchers.size || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
}

/** The time in ms since 1970, once a second; one clock for the whole page. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}
