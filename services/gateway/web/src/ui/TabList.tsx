import { type KeyboardEvent, type ReactNode, useRef } from "react";

interface Props<T extends string> {
  names: readonly T[];
  chosen: T;
  choose: (name: T) => void;
  label: string;
  notes?: Partial<Record<T, string>>;
  children?: ReactNode;
}

/** Tabs; arrows move among them, and only the chosen one is a stop. */
export function TabList<T extends string>({ names, chosen, choose, label, notes, children }: Props<T>) {
  const line = useRef<HTMLDivElement>(null);
  function move(event: KeyboardEvent) {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const next = names[(names.indexOf(chosen) + step + names.length) % names.length];
    if (!next) return;
    choose(next);
    requestAnimationFrame(() => line.current?.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  }
  return (
    <div className="tabs-bar">
      <div ref={line} className="tabs-line grow" role="tablist" aria-label={label}>
        {names.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === chosen}
            tabIndex={name === chosen ? 0 : -1}
            onClick={() => choose(name)}
            onKeyDown={move}
          >
            {name} {notes?.[name] && <span className="ink-3 figures">{notes[name]}</span>}
          </button>
        ))}
      </div>
      {children}
    </div>
  );
}
