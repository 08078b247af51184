import { useState } from "react";

/**
 * What was typed and not sent: this tab keeps it under `key` when one goes elsewhere, and through a reload. Returns the
 * words, how to change them, and how to forget them once they are sent.
 */
export function useDraft<T>(key: string, initial: T): [T, (value: T) => void, () => void] {
  const [value, setValue] = useState<T>(() => kept<T>(key) ?? initial);
  return [
    value,
    (next: T) => {
      keep(key, next);
      setValue(next);
    },
    () => forget(key),
  ];
}

/** What is kept under `key`; null without any. */
export function kept<T>(key: string): T | null {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null") as T | null;
  } catch {
    return null;
  }
}

function keep(key: string, value: unknown): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // There is no room for it: it stays on the page.
    forget(key);
  }
}

function forget(key: string): void {
  try {
    sessionStorage.removeItem(key);
  } catch {
    // A browser that keeps nothing has nothing to forget.
  }
}
