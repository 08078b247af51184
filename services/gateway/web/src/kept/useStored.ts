import { useState } from "react";

/** Keep `text` in this browser; where that is full, or kept from this page, it holds as long as the page is open. */
export function store(key: string, text: string): void {
  try {
    localStorage.setItem(key, text);
  } catch {
    // Nothing is lost that the page does not show.
  }
}

/** A choice of this browser, kept under `key`. */
export function useStored<T>(key: string, initial: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => {
    try {
      const kept = localStorage.getItem(key);
      return kept === null ? initial : (JSON.parse(kept) as T);
    } catch {
      return initial;
    }
  });
  return [
    value,
    (next: T) => {
      setValue(next);
      store(key, JSON.stringify(next));
    },
  ];
}
