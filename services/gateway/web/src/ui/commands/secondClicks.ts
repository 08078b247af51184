const CONTROL = "a, button, input, select, textarea, summary, [role=button], [role=option], [role=treeitem]";

/** What a click at this place presses; a field that a label names is pressed with it. */
function pressed(target: EventTarget | null): Element | null {
  if (!(target instanceof Element)) return null;
  return target.closest("label") ?? target.closest(CONTROL) ?? target;
}

/**
 * Who presses twice means what was pressed first: when that is gone, the second press does nothing to what has come to
 * lie at its place.
 */
export function ignoreSecondClicks(): void {
  let first: Element | null = null;
  window.addEventListener(
    "click",
    (event) => {
      // 0: the keyboard, or a script.
      if (event.detail === 0) return;
      const now = pressed(event.target);
      if (event.detail === 1) first = now;
      else if (now !== first) {
        event.preventDefault();
        event.stopImmediatePropagation();
      }
    },
    { capture: true },
  );
}
