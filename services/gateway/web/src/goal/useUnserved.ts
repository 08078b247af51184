import { useQuery } from "@tanstack/react-query";
import { queues } from "../api/queries";
import type { Task } from "../api/types";

/** Agent types whose orders of this goal wait while nobody serves their queues. */
export function useUnserved(tasks: readonly Task[]): string[] {
  const waiting = new Set(tasks.filter((task) => task.status === "enqueued").map((task) => task.agent_type));
  const lanes = useQuery({ ...queues(), enabled: waiting.size > 0 }).data;
  if (!lanes) return [];
  const served = new Set(
    // A worker that has just come is not counted among the living yet, but asks for work already.
    lanes.filter((lane) => lane.workers + lane.pulls + lane.held > 0).map((lane) => lane.agent_type),
  );
  return [...waiting].filter((type) => !served.has(type)).sort();
}
