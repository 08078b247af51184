import { useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useRef, useState } from "react";
import { isRunning, transcript } from "../../api/queries";
import type { Attempt, Line } from "../../api/types";
import { some } from "../../format/numbers";
import { clockOf } from "../../format/time";
import { useKeys } from "../../keyboard/keys";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";
import { ToolCall } from "./ToolCall";

const AT_END_PX = 24;

/** One step of a run, as a line of a list. */
export function Step({ line }: { line: Line }) {
  const at = clockOf(Date.parse(line.at));
  if (line.kind === "tool")
    return (
      <li data-seq={line.seq} className={line.is_error ? "step is-error" : "step"}>
        <span />
        <ToolCall line={line} />
      </li>
    );
  if (line.kind === "said" && !line.text) return null;
  const words: Record<string, string> = {
    held: `${line.worker} takes the run`,
    asked: `${line.model || "The model"} is asked`,
    failed: `The model did not answer: ${line.text}`,
    note: line.note_seq ? `A person says: ${line.text}` : `The hub says: ${line.text}`,
    closed: `The run is closed: ${line.text}`,
    said: line.text,
  };
  return (
    <li data-seq={line.seq} className={`step step-${line.kind} ${line.is_error ? "is-error" : ""}`}>
      <time className="tiny ink-3 figures" title={line.at}>
        {at}
      </time>
      <p className="break said" dir="auto">
        {words[line.kind]}
      </p>
    </li>
  );
}

/** What the agent says and does. Follows the end until the reader scrolls up. */
export function Transcript({ attempt }: { attempt: Attempt }) {
  const running = isRunning(attempt);
  const found = useQuery(transcript(attempt));
  const pane = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const [seen, setSeen] = useState(0);
  const lines = found.data?.items ?? [];
  const live = found.data?.live ?? "";
  const size = lines.length + live.length;
  const placed = useRef(false);
  useKeys({ f: () => setFollowing((old) => !old) });
  // Before it is painted: a pane that has grown and is not at its end yet would look as if the reader had left the end.
  useLayoutEffect(() => {
    const element = pane.current;
    if (!element || !size) return;
    const first = element.querySelector(".is-error");
    if (!placed.current && first && !running) {
      placed.current = true;
      setFollowing(false);
      first.scrollIntoView({ block: "center" });
      return;
    }
    placed.current = true;
    if (!following) return;
    element.scrollTop = element.scrollHeight;
    setSeen(lines.length);
  }, [size, following, running, lines.length]);
  if (found.isPending) return <Loading what="the transcript" />;
  if (found.isError && !found.data)
    return (
      <Problem
        what="The transcript could not be read"
        meaning="Only this view is missing. Should the agent be unable to write its steps, it stops and says so."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  function scrolled() {
    const element = pane.current;
    if (!element) return;
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX;
    setFollowing(atEnd);
    if (atEnd) setSeen(lines.length);
  }
  return (
    <div className="transcript-pane">
      <div
        ref={pane}
        className="scrolls transcript"
        onScroll={scrolled}
        role="log"
        tabIndex={0}
        aria-label="Transcript"
        aria-live="off"
      >
        <ol>
          {lines.map((line) => (
            <Step key={`${line.seq}-${line.kind}`} line={line} />
          ))}
        </ol>
        {running && live && <pre className="block live-output">{live.slice(-4_000)}</pre>}
        {!lines.length && (
          <p className="empty-line">
            {attempt.ended_at ? "No agent was asked in this attempt." : "Nothing is recorded of this attempt yet."}
          </p>
        )}
      </div>
      {!following && lines.length > seen && seen > 0 && (
        <button type="button" className="button small new-steps" onClick={() => setFollowing(true)}>
          {some(lines.length - seen, "new step")}
        </button>
      )}
      <p className="unseen" role="status">
        {running && following ? "Following" : ""}
      </p>
    </div>
  );
}
