import type { QueryClient } from "@tanstack/react-query";
import type { EventDocument } from "../api/types";
import type { Frame } from "./events";
import type { Feed } from "./feed";

const TOGETHER_MS = 60;
// What an event cannot have changed is not read again because of it.
const QUIET = new Set(["agent.heartbeat"]);

/** Reads again what the events of the log have made old: only what is on the page, and each once for many events. */
export class Refresher {
  private goals = new Set<string>();
  private kinds = new Set<string>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  private busy = false;

  constructor(
    private readonly queries: QueryClient,
    feed: Feed,
  ) {
    feed.onFrame((frame) => this.take(frame));
    feed.onReset(() => void queries.invalidateQueries());
  }

  private take(frame: Frame): void {
    if (!frame.goal_id || frame.sequence === undefined || QUIET.has(frame.type)) return;
    this.append(frame as EventDocument);
    this.goals.add(frame.goal_id);
    this.kinds.add(frame.type);
    this.schedule();
  }

  /** A goal's events are shown as they come; they are not read again. */
  private append(event: EventDocument): void {
    this.queries.setQueryData<EventDocument[]>(["events", event.goal_id], (known) => {
      if (!known || (known.at(-1)?.sequence ?? 0) >= event.sequence) return known;
      return [...known, event];
    });
  }

  private schedule(): void {
    if (this.timer || this.busy) return;
    this.timer = setTimeout(() => void this.flush(), TOGETHER_MS);
  }

  private async flush(): Promise<void> {
    const [goals, kinds] = [this.goals, [...this.kinds]];
    this.goals = new Set();
    this.kinds = new Set();
    this.timer = null;
    this.busy = true;
    const asks = kinds.some((kind) => kind.startsWith("agent.") || kind.startsWith("goal."));
    const letters = kinds.some(
      (kind) => kind.includes("dead") || kind.includes("requeued") || kind.includes("discarded"),
    );
    await this.queries.invalidateQueries({
      predicate: ({ queryKey: [area, goal] }) => {
        if (area === "goals" || area === "queues") return true;
        if (area === "inbox") return asks;
        if (area === "letters") return letters || asks;
        return area === "goal" && goals.has(String(goal));
      },
    });
    this.busy = false;
    if (this.goals.size) this.schedule();
  }
}
