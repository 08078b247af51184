import { useEffect, useLayoutEffect, useRef } from "react";

const rowOf = (question: string | undefined) =>
  document.querySelector<HTMLElement>(`.inbox-list [data-question="${question}"] .row-link`);

/** Who answers by keys alone stands at the question that is shown next, and nowhere else. */
export function useHeldFocus(chosen: string | undefined): void {
  const shown = useRef(chosen);
  const last = useRef<EventTarget | null>(null);
  useEffect(() => {
    const note = (event: FocusEvent) => {
      last.current = event.target;
    };
    window.addEventListener("focusin", note);
    return () => window.removeEventListener("focusin", note);
  }, []);
  useLayoutEffect(() => {
    const before = shown.current;
    shown.current = chosen;
    const held = last.current;
    if (!(held instanceof HTMLElement)) return;
    const isGone = !held.isConnected && document.activeElement === document.body;
    const isLeft = before !== chosen && document.activeElement === held && held === rowOf(before);
    if (isGone || isLeft) (rowOf(chosen) ?? document.querySelector<HTMLElement>("main"))?.focus();
  });
}
