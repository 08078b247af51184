import { useState } from "react";
import type { Line } from "../../api/types";
import { duration } from "../../format/time";
import { Icon } from "../../ui/icons";
import { usePrinting } from "../../ui/usePrinting";
import { lineDiff } from "./lineDiff";

const FOLDED = 8;

const text = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);

/** The arguments in one line: the path or the command, else all of them. */
function argumentsOf(input: Record<string, unknown>): string {
  const main = input.path ?? input.command ?? input.pattern ?? input.query;
  if (typeof main === "string" && input.path === undefined) return main;
  if (typeof main === "string") return [main, text(input.view_range)].filter(Boolean).join(" ");
  return Object.entries(input)
    .map(([key, value]) => `${key}=${text(value)}`)
    .join(" ");
}

function Edit({ input }: { input: Record<string, unknown> }) {
  const lines = lineDiff(text(input.old_str), text(input.new_str ?? input.file_text ?? input.insert_text));
  const [unfolded, setUnfolded] = useState(false);
  const open = usePrinting() || unfolded;
  const shown = open ? lines : lines.slice(0, FOLDED + 4);
  return (
    <>
      <pre className="edit code">
        {shown.map((line, at) => (
          <span
            key={`${String(at)}${line.sign}`}
            className={line.sign === "+" ? "line-add" : line.sign === "−" ? "line-del" : ""}
          >
            {line.sign} {line.text}
            {"\n"}
          </span>
        ))}
      </pre>
      {lines.length > shown.length && (
        <button type="button" className="fold small" onClick={() => setUnfolded(true)}>
          {lines.length - shown.length} more lines
        </button>
      )}
    </>
  );
}

function Result({ line }: { line: Line }) {
  const lines = line.text.split("\n");
  const [unfolded, setUnfolded] = useState(false);
  const open = usePrinting() || unfolded;
  const shown = open ? lines : lines.slice(0, FOLDED);
  if (!line.text.trim()) return null;
  return (
    <>
      <pre
        tabIndex={open ? 0 : undefined}
        className={`result code ${line.is_error ? "bad" : ""} ${open ? "open" : ""}`}
      >
        {shown.join("\n")}
      </pre>
      {lines.length > FOLDED && (
        <button type="button" className="fold small" aria-expanded={open} onClick={() => setUnfolded(!open)}>
          {open ? "Fold" : `${lines.length - FOLDED} more lines`}
        </button>
      )}
    </>
  );
}

/** A tool with its arguments, how long it took, and what came back. */
export function ToolCall({ line }: { line: Line }) {
  const input: Record<string, unknown> = line.input ?? {};
  const edits = ["old_str", "file_text", "insert_text"].some((name) => input[name] !== undefined);
  const took = line.ended_at ? duration((Date.parse(line.ended_at) - Date.parse(line.at)) / 1000) : "running";
  const name = line.tool === "str_replace_based_edit_tool" ? `edit: ${text(input.command)}` : line.tool;
  return (
    <div className="panel-box tool">
      <div className="panel-box-head">
        <Icon name="terminal" />
        <b className="code">{name}</b>
        <code className="one-line ink-3 grow" title={argumentsOf(input)}>
          {argumentsOf(input)}
        </code>
        <span className={`small figures ${line.ended_at ? "ink-3" : "running-word"}`}>{took}</span>
      </div>
      {edits && <Edit input={input} />}
      <Result line={line} />
    </div>
  );
}
