import { useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useRef, useState } from "react";
import { API, save } from "../../api/client";
import { attemptPath, gateLog, output } from "../../api/queries";
import type { Attempt, Gate } from "../../api/types";
import { Icon } from "../../ui/icons";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";

const KEPT = 2_000;
const TROUBLE = /error|fail|traceback|exception|refused|denied|✗/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours of a terminal are made of
const COLOURS = /\u001b\[[0-9;?]*[A-Za-z]/g;

function Lines({ text, only, wrap }: { text: string; only: boolean; wrap: boolean }) {
  const all = text.replaceAll(COLOURS, "").split("\n").slice(-KEPT);
  const shown = only ? all.filter((line) => TROUBLE.test(line)) : all;
  if (!shown.join("").trim())
    return (
      <p className="empty-line">
        {only ? "No line speaks of trouble." : "Nothing was given out, or it is older than a day."}
      </p>
    );
  return (
    <pre className={wrap ? "log code" : "log code no-wrap"}>
      {shown.map((line, at) => (
        <span key={String(at)} className={TROUBLE.test(line) ? "bad" : ""}>
          {line}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

const AT_END_PX = 24;

interface Props {
  attempt: Attempt;
  round: Gate | undefined;
}

/** What tools and model gave out, or what the gate's command printed. */
export function LogTail({ attempt, round }: Props) {
  const goalId = attempt.goal_id;
  const kept = Boolean(round?.log_ref);
  const log = useQuery({ ...gateLog(goalId, round?.gate ?? "", round?.round ?? 0), enabled: kept });
  const out = useQuery({ ...output(attempt), enabled: !kept });
  const [only, setOnly] = useState(false);
  const [wrap, setWrap] = useState(true);
  const [follow, setFollow] = useState(true);
  const pane = useRef<HTMLDivElement>(null);
  const found = kept ? log : out;
  const text = kept ? (log.data ?? "") : (out.data?.text ?? "");
  useLayoutEffect(() => {
    if (follow && pane.current && text) pane.current.scrollTop = pane.current.scrollHeight;
  }, [text, follow]);
  const path = kept
    ? `${API}/goals/${goalId}/gates/${round?.gate}/${round?.round}/log`
    : `${API}${attemptPath(attempt)}/output`;
  function scrolled() {
    const element = pane.current;
    if (element) setFollow(element.scrollHeight - element.scrollTop - element.clientHeight < AT_END_PX);
  }
  return (
    <div className="log-pane">
      <div className="row wrap log-tools">
        <button type="button" className="tag toggle" aria-pressed={follow} onClick={() => setFollow(!follow)}>
          follow
        </button>
        <button type="button" className="tag toggle" aria-pressed={only} onClick={() => setOnly(!only)}>
          errors only
        </button>
        <button type="button" className="tag toggle" aria-pressed={wrap} onClick={() => setWrap(!wrap)}>
          wrap
        </button>
        <span className="grow" />
        <button
          type="button"
          className="button small light"
          onClick={() => void save(path, `${attempt.task_id}-${attempt.attempt}.${kept ? "log" : "json"}`)}
        >
          <Icon name="download" />
          Download
        </button>
      </div>
      {found.isPending && <Loading what="the log" />}
      {found.isError && (
        <Problem
          what="The log could not be read"
          meaning="Only this view is missing."
          error={found.error}
          retry={() => void found.refetch()}
        />
      )}
      {found.isSuccess && (
        <div
          ref={pane}
          className="scrolls log-lines"
          onScroll={scrolled}
          role="group"
          tabIndex={0}
          aria-label="Log"
        >
          <Lines text={text} only={only} wrap={wrap} />
        </div>
      )}
    </div>
  );
}
