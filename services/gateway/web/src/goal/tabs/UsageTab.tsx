import { useQuery } from "@tanstack/react-query";
import { usage } from "../../api/queries";
import { count, dollars, tokens } from "../../format/numbers";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";
import type { Model } from "../model";

/** Model calls by task and model. */
export function UsageTab({ goalId, model, open }: { goalId: string; model: Model; open: (id: string) => void }) {
  const found = useQuery(usage(goalId));
  if (found.isPending) return <Loading what="the usage" />;
  if (found.isError)
    return (
      <Problem
        what="The usage could not be read"
        meaning="Only this table is missing."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  const all = found.data;
  return (
    <table className="usage">
      <thead>
        <tr>
          <th>Task</th>
          <th>Model</th>
          <th>Calls</th>
          <th>In</th>
          <th>From cache</th>
          <th>Out</th>
          <th>Cost</th>
        </tr>
      </thead>
      <tbody>
        {all.items.map((row) => (
          <tr key={`${row.task_id} ${row.model}`}>
            <td className="break">
              <button type="button" className="evidence" onClick={() => open(row.task_id)}>
                <span>{model.byTask.get(row.task_id)?.title ?? row.task_id}</span>
              </button>
            </td>
            <td>{row.model}</td>
            <td>{count(row.calls)}</td>
            <td>{tokens(row.input_tokens)}</td>
            <td>{tokens(row.cache_read_tokens)}</td>
            <td>{tokens(row.output_tokens)}</td>
            <td>{row.unpriced_calls ? `price unknown, ${row.unpriced_calls} calls` : dollars(row.cost_usd)}</td>
          </tr>
        ))}
        <tr className="sum">
          <td>All</td>
          <td />
          <td>{count(all.calls)}</td>
          <td>{tokens(all.input_tokens)}</td>
          <td>{tokens(all.cache_read_tokens)}</td>
          <td>{tokens(all.output_tokens)}</td>
          <td>{dollars(all.cost_usd)}</td>
        </tr>
      </tbody>
    </table>
  );
}
