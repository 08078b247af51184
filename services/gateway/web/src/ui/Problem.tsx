import { Refused } from "../api/client";
import { Mark } from "../states/StateMark";
import { CopyButton } from "./CopyButton";

interface Props {
  what: string;
  meaning: string;
  error: unknown;
  retry: () => void;
}

/** A pane that could not be read: what, what it means for the work, and the problem document. */
export function Problem({ what, meaning, error, retry }: Props) {
  const refused = error instanceof Refused ? error : null;
  const json = refused ? JSON.stringify({ ...refused.problem, instance: refused.path }, null, 2) : String(error);
  return (
    <section className="problem" role="alert">
      <div className="row">
        <Mark shape="diamond" tone="bad" />
        <h2>{what}</h2>
      </div>
      <p className="ink-2">
        {refused ? `${refused.message}. ` : ""}
        {meaning}
      </p>
      <div className="panel-box">
        <div className="panel-box-head">
          <b className="code">{refused?.status || "–"}</b>
          <span className="grow one-line">{refused?.problem.title ?? "Error"}</span>
          <CopyButton text={json} className="small" />
        </div>
        <pre className="block">{json}</pre>
      </div>
      <div className="row wrap">
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
        <CopyButton text="agenthub doctor" label="Copy “agenthub doctor”" className="plain" />
      </div>
    </section>
  );
}
