import { useState } from "react";
import { Icon } from "./icons";

const SAID_MS = 1_500;

export function CopyButton({
  text,
  label = "Copy",
  className = "",
}: {
  text: string | (() => string);
  label?: string;
  className?: string;
}) {
  const [said, setSaid] = useState("");
  async function copy() {
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      setSaid("Copied");
    } catch {
      setSaid("The browser refused to copy");
    }
    setTimeout(() => setSaid(""), SAID_MS);
  }
  return (
    <button type="button" className={`button light ${className}`} onClick={() => void copy()}>
      <Icon name="copy" />
      <span aria-live="polite">{said || label}</span>
    </button>
  );
}
