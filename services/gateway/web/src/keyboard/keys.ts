import { useLayoutEffect, useRef } from "react";
import { store } from "../kept/useStored";

const KEY = "agenthub-single-keys";

/** Single keys can be switched off (WCAG 2.1.4). */
export const singleKeys = {
  on: (): boolean => localStorage.getItem(KEY) !== "off",
  set: (on: boolean): void => store(KEY, on ? "on" : "off"),
};

/** `mod` is ⌘ on a Mac and Ctrl elsewhere. */
export const MOD = navigator.platform.startsWith("Mac") ? "⌘" : "Ctrl ";

/** `false`: the key was not meant here, and others may take it. */
export type Bindings = Record<string, (event: KeyboardEvent) => unknown>;

function named(event: KeyboardEvent): string {
  const key = event.key.toLowerCase();
  return event.metaKey || event.ctrlKey ? `mod+${key}` : key;
}

function inField(event: KeyboardEvent): boolean {
  const target = event.target;
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input:not([type=radio],[type=checkbox]), textarea, select"))
  );
}

// A key that is held down goes on moving, and does nothing else a second time.
const MOVES = new Set(["j", "k", "arrowup", "arrowdown", "arrowleft", "arrowright"]);

/** Whether a key may do something now: letters not inside a field, nothing plain behind a dialog. */
function allowed(event: KeyboardEvent, name: string): boolean {
  if (event.defaultPrevented || event.altKey) return false;
  if (event.repeat && !MOVES.has(name)) return false;
  if (name.startsWith("mod+")) return true;
  if (document.querySelector("dialog[open]")) return false;
  if (inField(event)) return name === "escape";
  return name.length > 1 || singleKeys.on();
}

/** Keys of a page, by name in small letters: `c`, `?`, `escape`, `mod+k`. */
export function useKeys(bindings: Bindings): void {
  const latest = useRef(bindings);
  // Who sees a page can press its keys.
  useLayoutEffect(() => {
    latest.current = bindings;
  });
  useLayoutEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const name = named(event);
      const bound = latest.current[name];
      if (!bound || !allowed(event, name)) return;
      if (bound(event) !== false) event.preventDefault();
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, []);
}
