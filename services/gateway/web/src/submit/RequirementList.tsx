import { type ClipboardEvent, type KeyboardEvent, useState } from "react";
import { Mark } from "../states/StateMark";
import { Icon } from "../ui/icons";

interface Props {
  items: readonly string[];
  change: (items: string[]) => void;
}

const COVERAGE = /(\d{1,3})\s*%/;

/** What the hub takes a requirement to demand of a gate, where its words say so. */
function gateOf(text: string): string {
  if (/coverage/i.test(text) && COVERAGE.test(text)) return `Tests gate: coverage ≥ ${COVERAGE.exec(text)?.[1]}%`;
  if (/security audit/i.test(text)) return "Security gate: on";
  return "";
}

/** Requirements one by one; a pasted list becomes as many. */
export function RequirementList({ items, change }: Props) {
  const [next, setNext] = useState("");
  const add = (texts: string[]) => {
    const fresh = texts.map((text) => text.replace(/^\s*(?:[-*•]|\d+[.)])\s+/, "").trim()).filter(Boolean);
    if (fresh.length) change([...items, ...fresh]);
    setNext("");
  };
  function paste(event: ClipboardEvent) {
    const text = event.clipboardData.getData("text");
    if (!text.includes("\n")) return;
    event.preventDefault();
    add(text.split("\n"));
  }
  function key(event: KeyboardEvent) {
    if (event.key === "Backspace" && !next && items.length) change(items.slice(0, -1));
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    add([next]);
  }
  return (
    <ul className="requirement-list">
      {items.map((text, at) => (
        <li key={`${String(at)} of ${items.length}`}>
          <input
            aria-label={`Requirement ${at + 1}`}
            className="quiet"
            value={text}
            onChange={(event) => change(items.map((old, other) => (other === at ? event.target.value : old)))}
          />
          {gateOf(text) && (
            <span className="tag">
              <Mark shape="hexagon-dot" tone="idle" />
              {gateOf(text)}
            </span>
          )}
          <button
            type="button"
            className="button icon-only small"
            aria-label={`Remove requirement ${at + 1}`}
            onClick={() => change(items.filter((_, other) => other !== at))}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
      <li>
        <Icon name="plus" />
        <input
          aria-label="Add a requirement, or paste a list"
          className="quiet"
          placeholder="Add a requirement, or paste a list"
          value={next}
          onChange={(event) => setNext(event.target.value)}
          onPaste={paste}
          onKeyDown={key}
          onBlur={() => add([next])}
        />
      </li>
    </ul>
  );
}
