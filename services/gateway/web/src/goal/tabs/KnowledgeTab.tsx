import { useQuery } from "@tanstack/react-query";
import { knowledge } from "../../api/queries";
import { moment, utc } from "../../format/time";
import { Loading } from "../../ui/Loading";
import type { Model } from "../model";

/** What agents left for each other. */
export function KnowledgeTab({ goalId, model, now }: { goalId: string; model: Model; now: number }) {
  const found = useQuery(knowledge(goalId));
  if (found.isPending) return <Loading what="the knowledge" />;
  if (!found.data?.length)
    return (
      <p className="empty-line">
        Agents have recorded nothing for each other yet: decisions, interfaces and facts would stand here.
      </p>
    );
  return (
    <ul className="knowledge">
      {found.data.map((item) => (
        <li key={item.seq}>
          <span className="tag">{item.kind}</span>
          <p className="break" dir="auto">
            {item.text}
          </p>
          <small className="ink-3" title={utc(item.at, item.seq)}>
            {model.byTask.get(item.task_id)?.title ?? item.task_id}, {moment(item.at, now)}
          </small>
        </li>
      ))}
    </ul>
  );
}
