import { duration } from "../../format/time";
import { StateWord } from "../../states/StateMark";
import { type Model, why, worked } from "../model";

interface Props {
  model: Model;
  selected: string;
  now: number;
  open: (id: string) => void;
}

/** The graph's facts as a table: what a phone shows, and what is read out. */
export function TaskTable({ model, selected, now, open }: Props) {
  const name = (id: string) => model.nodes.find((node) => node.id === id)?.title ?? id;
  return (
    <div className="scrolls table-pane">
      <table className="task-table">
        <thead>
          <tr>
            <th>Task</th>
            <th>State</th>
            <th>Why</th>
            <th>After</th>
            <th>Agent</th>
            <th>Time</th>
          </tr>
        </thead>
        <tbody>
          {model.nodes.map((node) => {
            const task = node.tasks.at(-1);
            return (
              <tr key={node.id} aria-current={node.id === selected} data-task={node.id}>
                <td>
                  <button type="button" className="name break" onClick={() => open(node.id)}>
                    {node.title}
                  </button>
                  {node.added && <span className="tag">added later</span>}
                </td>
                <td>
                  <StateWord state={node.state} />
                </td>
                <td className="ink-2 break">{why(node, model, now)}</td>
                <td className="ink-3 break">
                  {model.edges
                    .filter((edge) => edge.to === node.id)
                    .map((edge) => name(edge.from))
                    .join(", ") || "–"}
                </td>
                <td>{task?.agent || "–"}</td>
                <td className="figures">{task?.ended_at ? duration(worked(task)) : "–"}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
