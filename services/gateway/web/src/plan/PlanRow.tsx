import { useState } from "react";
import { Icon } from "../ui/icons";
import { type Draft, isEdited, keysOf, numbersOf } from "./edits";

const AGENTS = ["architect", "coding", "testing", "debug", "security", "review"];

interface Props {
  draft: Draft;
  number: number;
  drafts: readonly Draft[];
  chosen: boolean;
  choose: () => void;
  put: (draft: Draft) => void;
  remove: () => void;
}

export function PlanRow({ draft, number, drafts, chosen, choose, put, remove }: Props) {
  const { task, was } = draft;
  const [after, setAfter] = useState<string | null>(null);
  const change = (part: Partial<Draft["task"]>) => put({ ...draft, task: { ...task, ...part } });
  const agents = AGENTS.includes(task.agent) ? AGENTS : [task.agent, ...AGENTS];
  const before =
    was && JSON.stringify(was.depends_on) !== JSON.stringify(task.depends_on)
      ? numbersOf(was.depends_on, drafts) || "–"
      : "";
  return (
    <tr aria-current={chosen} onFocus={choose} onClick={choose} data-key={task.key}>
      <td className="ink-3 figures">{number}</td>
      <td>
        <span className="row">
          <textarea
            className="quiet plan-title"
            rows={1}
            aria-label={`Title of task ${number}`}
            value={task.title}
            onKeyDown={(event) => {
              if (event.key === "Enter") event.preventDefault();
            }}
            onChange={(event) => change({ title: event.target.value.replaceAll(/\s*\n\s*/g, " ") })}
          />
          {(isEdited(draft) || !was) && <span className="tag">{was ? "edited" : "added"}</span>}
        </span>
      </td>
      <td>
        <select
          aria-label={`Agent of task ${number}`}
          value={task.agent}
          onChange={(event) => change({ agent: event.target.value })}
        >
          {agents.map((agent) => (
            <option key={agent}>{agent}</option>
          ))}
        </select>
      </td>
      <td className="figures">
        <span className="row">
          {before && <s className="ink-3">{before}</s>}
          <input
            className="quiet after"
            aria-label={`Task ${number} comes after`}
            value={after ?? numbersOf(task.depends_on, drafts)}
            placeholder="–"
            onChange={(event) => setAfter(event.target.value)}
            onBlur={() => {
              // What stands in another list, as tasks that have ended do, cannot be typed and stays.
              const elsewhere = task.depends_on.filter((key) => !drafts.some((other) => other.task.key === key));
              if (after !== null) change({ depends_on: [...elsewhere, ...keysOf(after, drafts)] });
              setAfter(null);
            }}
          />
        </span>
      </td>
      <td>{task.complexity}</td>
      <td className="figures">
        <span className="row">
          <input
            className="quiet minutes"
            type="number"
            min={1}
            aria-label={`Minutes of task ${number}`}
            value={task.estimate_minutes ?? ""}
            placeholder="–"
            onChange={(event) =>
              change({ estimate_minutes: event.target.value ? Number(event.target.value) : null })
            }
          />
          m
        </span>
      </td>
      <td className="ink-3">{task.requirement_ids.map((id) => id.replace(/^R/, "")).join(", ") || "–"}</td>
      <td>
        <button
          type="button"
          className="button icon-only"
          aria-label={`Remove task ${number}, ${task.title}`}
          onClick={remove}
        >
          <Icon name="close" />
        </button>
      </td>
    </tr>
  );
}
