import { useQuery } from "@tanstack/react-query";
import { knowledge } from "../../api/queries";
import type { Finding, Goal, Task } from "../../api/types";
import { duration } from "../../format/time";
import type { Node } from "../model";

export function Findings({ findings }: { findings: readonly Finding[] }) {
  return (
    <ul className="findings">
      {findings.map((finding, at) => (
        <li key={`${String(at)} ${finding.file}:${finding.line}`} className={finding.dismissed ? "ink-3" : ""}>
          <span
            className={`tag ${["high", "critical"].includes(finding.severity) && !finding.dismissed ? "tone-bad" : ""}`}
          >
            {finding.severity}
          </span>{" "}
          {finding.file && (
            <code>
              {finding.file}
              {finding.line ? `:${finding.line}` : ""}
            </code>
          )}{" "}
          <span className="break">{finding.message}</span>
          {finding.dismissed && <em> Dismissed: {finding.dismissed}</em>}
        </li>
      ))}
    </ul>
  );
}

function Part({ name, items }: { name: string; items: readonly string[] }) {
  if (!items.length) return null;
  return (
    <section>
      <h3>{name}</h3>
      <ul className="bullets">
        {items.map((item, at) => (
          <li key={`${String(at)} ${item}`} className="break" dir="auto">
            {item}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** What the task is, by whose criteria it is done, and what agents left for others. */
export function Context({ goal, node, task }: { goal: Goal; node: Node; task: Task }) {
  const told = useQuery(knowledge(goal.goal_id)).data ?? [];
  const requirements = goal.coverage
    .filter((item) => task.requirement_ids.includes(item.requirement_id))
    .map((item) => item.text);
  const round = node.rounds.at(-1);
  return (
    <div className="scrolls context stack">
      {task.details && (
        <section>
          <h3>Task</h3>
          <p className="break" dir="auto">
            {task.details}
          </p>
        </section>
      )}
      {task.summary && (
        <section>
          <h3>Result</h3>
          <p className="break" dir="auto">
            {task.summary}
          </p>
        </section>
      )}
      <Part name="Acceptance" items={task.acceptance} />
      <Part name="Requirements" items={requirements} />
      <Part name="May write" items={task.writes} />
      <Part name="Insights" items={task.insights} />
      {round && (
        <section>
          <h3>Evidence of round {round.round}</h3>
          <dl className="facts-list">
            {round.command && (
              <>
                <dt>Command</dt>
                <dd>
                  <code>{round.command}</code>
                </dd>
              </>
            )}
            {round.exit_code !== null && (
              <>
                <dt>Exit code</dt>
                <dd>{round.exit_code}</dd>
              </>
            )}
            {round.counted && (
              <>
                <dt>Tests</dt>
                <dd>
                  {round.passed} passed, {round.failed} failed, {round.skipped} skipped
                </dd>
              </>
            )}
            {round.coverage_percent !== null && (
              <>
                <dt>Coverage</dt>
                <dd>
                  {round.coverage_percent} %
                  {round.coverage_required === null ? "" : `, ${round.coverage_required} % asked for`}
                </dd>
              </>
            )}
            <dt>Commit</dt>
            <dd>
              <code>{round.commit_id.slice(0, 12)}</code>
            </dd>
          </dl>
        </section>
      )}
      <Part name="Failing tests" items={round?.failing ?? []} />
      {[...task.findings, ...(round?.findings ?? [])].length > 0 && (
        <section>
          <h3>Findings</h3>
          <Findings findings={[...task.findings, ...(round?.findings ?? [])]} />
        </section>
      )}
      <section>
        <h3>Limits</h3>
        <p>
          {duration(task.timeout_s)} an attempt, {task.max_retries + 1} attempts
        </p>
      </section>
      <Part name="Knowledge of this goal" items={told.map((item) => `${item.kind}: ${item.text}`)} />
    </div>
  );
}
