import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { withArrivals } from "../live/arrivals";
import { feed } from "../live/feed";
import { API, ask, Refused, read } from "./client";
import type {
  Analytics,
  Attempt,
  Causation,
  DeadLetter,
  Diff,
  EventDocument,
  Gate,
  Goal,
  GoalCheck,
  Graph,
  Holds,
  Knowledge,
  Lately,
  MetricHistories,
  Model,
  Output,
  PositionsDiff,
  Question,
  Queue,
  Ready,
  ReplayedGoal,
  Service,
  Storage,
  Submit,
  TaskDetail,
  TimelineLine,
  Trace,
  Transcript,
  Usage,
  Worker,
} from "./types";

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

const PAGE = 500;

/** A read that is not older than the newest event that this page has seen. */
function now<T>(path: string, signal: AbortSignal): Promise<T> {
  return read<T>(path, signal, feed.snapshot().position);
}

/** Every page, however many there are: what comes later is appended, so one that is left out would be a gap. */
async function everything<T>(path: string, signal: AbortSignal, after: number): Promise<T[]> {
  const items: T[] = [];
  let cursor = "";
  for (;;) {
    const next = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const page: Page<T> = await read<Page<T>>(
      `${path}${path.includes("?") ? "&" : "?"}limit=${PAGE}${next}`,
      signal,
      after,
    );
    items.push(...page.items);
    if (!page.next_cursor) return items;
    cursor = page.next_cursor;
  }
}

const all = <T>(path: string, signal: AbortSignal) => everything<T>(path, signal, feed.snapshot().position);

export const goals = () =>
  queryOptions({ queryKey: ["goals"], queryFn: ({ signal }) => all<Goal>("/goals", signal) });

const AT_REST = new Set(["ready_for_review", "completed", "failed", "cancelled"]);

export const goal = (id: string) =>
  queryOptions({
    queryKey: ["goal", id, "head"],
    queryFn: ({ signal }) => now<Goal>(`/goals/${id}`, signal),
    // Which worker is missing is no event.
    refetchInterval: ({ state }) => (AT_REST.has(state.data?.status ?? "") ? false : 5_000),
  });

export const graph = (id: string) =>
  queryOptions({
    queryKey: ["goal", id, "graph"],
    queryFn: ({ signal }) => now<Graph>(`/goals/${id}/graph`, signal),
  });

export const gates = (id: string) =>
  queryOptions({
    queryKey: ["goal", id, "gates"],
    queryFn: async ({ signal }) => (await now<Page<Gate>>(`/goals/${id}/gates`, signal)).items,
  });

export const task = (id: string, taskId: string) =>
  queryOptions({
    queryKey: ["goal", id, "task", taskId],
    queryFn: ({ signal }) => now<TaskDetail>(`/goals/${id}/tasks/${taskId}`, signal),
  });

export const usage = (id: string) =>
  queryOptions({
    queryKey: ["goal", id, "usage"],
    queryFn: ({ signal }) => now<Usage>(`/goals/${id}/usage`, signal),
  });

const SPANS_A_PAGE = 2_000;

async function wholeTrace(path: string, signal: AbortSignal): Promise<Trace> {
  type Part = Trace & { next_cursor: string | null };
  const first = await now<Part>(`${path}limit=${SPANS_A_PAGE}`, signal);
  const items = [...first.items];
  let cursor = first.next_cursor;
  while (cursor) {
    const part: Part = await now<Part>(`${path}limit=${SPANS_A_PAGE}&cursor=${cursor}`, signal);
    items.push(...part.items);
    cursor = part.next_cursor;
  }
  return { ...first, items };
}

/** No event says that spans have come: asked for again while the work goes on. */
export const trace = (id: string, taskId: string, running: boolean) =>
  queryOptions({
    queryKey: ["trace", id, taskId],
    queryFn: ({ signal }) =>
      wholeTrace(`/goals/${id}/trace?${taskId ? `task=${encodeURIComponent(taskId)}&` : ""}`, signal),
    refetchInterval: running ? 5_000 : false,
    staleTime: 0,
  });

export const knowledge = (id: string) =>
  queryOptions({
    queryKey: ["goal", id, "knowledge"],
    queryFn: ({ signal }) => all<Knowledge>(`/goals/${id}/knowledge`, signal),
  });

export const story = (id: string) =>
  queryOptions({
    queryKey: ["goal", id, "story"],
    queryFn: ({ signal }) => all<TimelineLine>(`/goals/${id}/timeline`, signal),
  });

/** Straight from the log, and kept up to date by the live feed alone. */
export const events = (id: string) =>
  queryOptions({
    queryKey: ["events", id],
    queryFn: ({ signal }) => withArrivals(feed, id, everything<EventDocument>(`/goals/${id}/events`, signal, 0)),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** What people have decided about the results of a goal, the oldest first. */
export const verdicts = (id: string) =>
  queryOptions({
    queryKey: ["goal", id, "verdicts"],
    queryFn: async ({ signal }) => {
      const kinds = ["goal.approved", "goal.rework_requested"];
      const found = await Promise.all(
        kinds.map((kind) => all<EventDocument>(`/goals/${id}/events?type=${kind}`, signal)),
      );
      return found.flat().toSorted((a, b) => a.sequence - b.sequence);
    },
  });

export const diff = (id: string, taskId = "") =>
  queryOptions({
    queryKey: ["goal", id, "diff", taskId],
    queryFn: ({ signal }) =>
      now<Diff>(`/goals/${id}/diff${taskId ? `?task=${encodeURIComponent(taskId)}` : ""}`, signal),
  });

// What was, stays as it was: it is read once.
const PAST = { staleTime: Number.POSITIVE_INFINITY, placeholderData: keepPreviousData } as const;

export const replayed = (id: string, seq: number) =>
  queryOptions({
    queryKey: ["past", id, "state", seq],
    queryFn: ({ signal }) => read<ReplayedGoal>(`/goals/${id}/replay?at_seq=${seq}`, signal),
    enabled: seq > 0,
    ...PAST,
  });

export const between = (id: string, from: number, to: number) =>
  queryOptions({
    queryKey: ["past", id, "between", from, to],
    queryFn: ({ signal }) => read<PositionsDiff>(`/goals/${id}/replay/diff?from=${from}&to=${to}`, signal),
    ...PAST,
  });

export const filesAt = (id: string, seq: number, from = 0) =>
  queryOptions({
    queryKey: ["past", id, "files", seq, from],
    queryFn: ({ signal }) =>
      read<Diff>(`/goals/${id}/diff?at_seq=${seq}${from ? `&from_seq=${from}` : ""}`, signal),
    enabled: seq > 0,
    ...PAST,
  });

export const causes = (id: string, seq: number) =>
  queryOptions({
    queryKey: ["past", id, "causes", seq],
    queryFn: ({ signal }) => read<Causation>(`/goals/${id}/replay/why?of=${seq}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const inbox = () =>
  queryOptions({
    queryKey: ["inbox", "open"],
    queryFn: ({ signal }) => all<Question>("/interventions?state=open", signal),
  });

export const answered = () =>
  queryOptions({
    queryKey: ["inbox", "answered"],
    queryFn: ({ signal }) => all<Question>("/interventions?state=answered", signal),
  });

export const letters = () =>
  queryOptions({
    queryKey: ["letters"],
    queryFn: ({ signal }) => all<DeadLetter>("/dead-letters?state=open", signal),
  });

export const queues = () =>
  queryOptions({
    queryKey: ["queues"],
    queryFn: async ({ signal }) => (await read<{ items: Queue[] }>("/queues", signal)).items,
    refetchInterval: 5_000,
  });

export const model = () =>
  queryOptions({ queryKey: ["model"], queryFn: ({ signal }) => read<Model>("/model", signal), staleTime: 60_000 });

/** What people hold back changes seldom, and is shown on every page. */
export const holds = () =>
  queryOptions({
    queryKey: ["holds"],
    queryFn: ({ signal }) => read<Holds>("/holds", signal),
    refetchInterval: 15_000,
  });

/** The processes that answer on the bus. */
export const services = () =>
  queryOptions({
    queryKey: ["services"],
    queryFn: async ({ signal }) => (await read<{ items: Service[] }>("/services", signal)).items,
    staleTime: 60_000,
  });

export const ready = () =>
  queryOptions({ queryKey: ["ready"], queryFn: ({ signal }) => readiness(signal), refetchInterval: 5_000 });

async function readiness(signal: AbortSignal): Promise<Ready> {
  const response = await fetch("/health/ready", { signal });
  return (await response.json()) as Ready;
}

const LIVE_MS = 1_000;
export const attemptPath = (attempt: Attempt) =>
  `/goals/${attempt.goal_id}/tasks/${attempt.task_id}/attempts/${attempt.attempt}`;

export const attempts = (id: string) =>
  queryOptions({
    queryKey: ["goal", id, "attempts"],
    queryFn: async ({ signal }) => (await now<Page<Attempt>>(`/goals/${id}/attempts`, signal)).items,
  });

export const isRunning = (attempt: Attempt): boolean => Boolean(attempt.started_at && !attempt.ended_at);

/**
 * The steps of a run are no events: while it runs they are asked for each second, and once more when it has begun or
 * ended. Until that is answered, what was read last stays.
 */
const ofRun = (attempt: Attempt) => ({
  refetchInterval: isRunning(attempt) ? LIVE_MS : (false as const),
  placeholderData: keepPreviousData,
});
const runKey = (attempt: Attempt, what: string) =>
  ["run", attempt.goal_id, attempt.task_id, attempt.attempt, what, attempt.started_at, attempt.ended_at] as const;

export const transcript = (attempt: Attempt) =>
  queryOptions({
    queryKey: runKey(attempt, "transcript"),
    queryFn: ({ signal }) => read<Transcript>(`${attemptPath(attempt)}/transcript`, signal),
    ...ofRun(attempt),
  });

export const output = (attempt: Attempt) =>
  queryOptions({
    queryKey: runKey(attempt, "output"),
    queryFn: ({ signal }) => read<Output>(`${attemptPath(attempt)}/output`, signal),
    ...ofRun(attempt),
  });

export const gateLog = (id: string, gate: string, round: number) =>
  queryOptions({
    queryKey: ["gate-log", id, gate, round],
    queryFn: async ({ signal }) => (await ask(`${API}/goals/${id}/gates/${gate}/${round}/log`, { signal })).text(),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** What a submission would be understood as. Nothing is written, so it may be asked as often as one types. */
export const goalCheck = (body: Partial<Submit>) =>
  queryOptions({
    queryKey: ["goal-check", body],
    queryFn: async ({ signal }) => {
      const headers = { "Content-Type": "application/json" };
      const asked = { method: "POST", headers, body: JSON.stringify(body), signal };
      try {
        return (await (await ask(`${API}/goals/check`, asked)).json()) as GoalCheck;
      } catch (error) {
        // What cannot even be read, such as words that are too long, is a refusal like the others.
        if (!(error instanceof Refused) || error.status !== 422 || !error.problem.errors.length) throw error;
        return { understood: null, repository: null, warnings: [], refusals: error.problem.errors };
      }
    },
    staleTime: 30_000,
    gcTime: 60_000,
    retry: false,
  });

export const workers = () =>
  queryOptions({
    queryKey: ["queues", "workers"],
    queryFn: async ({ signal }) => (await read<{ items: Worker[] }>("/workers", signal)).items,
    refetchInterval: 5_000,
  });

/** What the last hour has brought changes slowly, and is counted over all of it. */
export const lately = () =>
  queryOptions({
    queryKey: ["lately"],
    queryFn: ({ signal }) => read<Lately>("/fleet/lately", signal),
    refetchInterval: 15_000,
  });

/** Streams grow slowly. */
export const storage = () =>
  queryOptions({
    queryKey: ["storage"],
    queryFn: ({ signal }) => read<Storage>("/storage", signal),
    refetchInterval: 15_000,
  });

/** A task keeps the title that it had first. */
export const taskTitle = (id: string, taskId: string) =>
  queryOptions({
    queryKey: ["title", id, taskId],
    queryFn: async ({ signal }) => (await read<TaskDetail>(`/goals/${id}/tasks/${taskId}`, signal)).task.title,
    staleTime: Number.POSITIVE_INFINITY,
  });

export const analytics = (days: number) =>
  queryOptions({
    queryKey: ["analytics", days],
    queryFn: ({ signal }) => read<Analytics>(`/analytics?days=${days}`, signal),
  });

export const metricHistory = (metrics: readonly string[], since: string, step: string) =>
  queryOptions({
    queryKey: ["metrics", metrics, since, step],
    queryFn: ({ signal }) => {
      const wanted = metrics.map((metric) => ["metric", metric]);
      const query = new URLSearchParams([...wanted, ["since", since], ["step", step]]);
      return read<MetricHistories>(`/metrics/history?${query}`, signal);
    },
    refetchInterval: 300_000,
  });
