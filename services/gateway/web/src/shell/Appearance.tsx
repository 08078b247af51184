import { useState } from "react";
import { store } from "../kept/useStored";
import { Icon } from "../ui/icons";

const KEY = "agenthub-scheme";
const NEXT: Record<string, string> = { system: "light", light: "dark", dark: "system" };

/** System, light, dark; remembered by this browser. */
export function Appearance({ wide }: { wide: boolean }) {
  const [scheme, setScheme] = useState(() => localStorage.getItem(KEY) ?? "system");
  function turn() {
    const next = NEXT[scheme] ?? "system";
    store(KEY, next);
    if (next === "system") delete document.documentElement.dataset.scheme;
    else document.documentElement.dataset.scheme = next;
    setScheme(next);
  }
  return (
    <button
      type="button"
      className="side-button"
      onClick={turn}
      {...(wide ? {} : { "aria-label": `Appearance: ${scheme}` })}
      title={`Appearance: ${scheme}`}
    >
      <Icon name="sun" />
      {wide && (
        <>
          <span className="grow">Appearance</span>
          <span className="ink-3">{scheme}</span>
        </>
      )}
    </button>
  );
}
