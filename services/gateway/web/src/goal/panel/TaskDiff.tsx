import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Refused } from "../../api/client";
import { diff } from "../../api/queries";
import { Loading } from "../../ui/Loading";
import { Problem } from "../../ui/Problem";

const DiffView = lazy(() => import("../../review/DiffView").then((module) => ({ default: module.DiffView })));

/** What one task has merged, or with no task the whole branch. */
export function TaskDiff({ goalId, taskId = "" }: { goalId: string; taskId?: string }) {
  const found = useQuery(diff(goalId, taskId));
  if (found.isPending) return <Loading what="the diff" />;
  if (found.isError && found.error instanceof Refused && found.error.status === 404)
    return (
      <p className="empty-line">
        {taskId ? "This task has merged nothing into the branch." : "Nothing is on the branch yet."}
      </p>
    );
  if (found.isError)
    return (
      <Problem
        what="The diff could not be read"
        meaning="The branch is not touched; only this view is missing."
        error={found.error}
        retry={() => void found.refetch()}
      />
    );
  if (!found.data.files.length) return <p className="empty-line">Nothing was changed.</p>;
  return (
    <Suspense fallback={<Loading what="the diff" />}>
      <DiffView text={found.data.diff} files={found.data.files} />
    </Suspense>
  );
}
