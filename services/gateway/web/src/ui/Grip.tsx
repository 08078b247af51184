import type { KeyboardEvent, PointerEvent } from "react";

const STEP = 16;

interface Props {
  label: string;
  size: number;
  least: number;
  most: number;
  /** `y`: the pane above grows downwards; `x`: the pane to the right grows leftwards. */
  axis: "x" | "y";
  resize: (size: number) => void;
  reset: () => void;
}

/** The edge between two panes, moved by pointer or arrows; a double click goes back. */
export function Grip({ label, size, least, most, axis, resize, reset }: Props) {
  const bounded = (value: number) => resize(Math.round(Math.min(most, Math.max(least, value))));
  function drag(event: PointerEvent<HTMLDivElement>) {
    const element = event.currentTarget;
    const start = axis === "y" ? event.clientY : -event.clientX;
    element.setPointerCapture(event.pointerId);
    element.onpointermove = (move) => bounded(size + (axis === "y" ? move.clientY : -move.clientX) - start);
    element.onpointerup = () => {
      element.onpointermove = null;
    };
  }
  function key(event: KeyboardEvent) {
    const grow = axis === "y" ? "ArrowDown" : "ArrowLeft";
    const shrink = axis === "y" ? "ArrowUp" : "ArrowRight";
    if (event.key !== grow && event.key !== shrink) return;
    event.preventDefault();
    event.stopPropagation();
    bounded(size + (event.key === grow ? STEP : -STEP));
  }
  return (
    <div
      className={`grip grip-${axis}`}
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={axis === "y" ? "horizontal" : "vertical"}
      aria-valuenow={size}
      aria-valuemin={least}
      aria-valuemax={most}
      onPointerDown={drag}
      onKeyDown={key}
      onDoubleClick={reset}
    />
  );
}
