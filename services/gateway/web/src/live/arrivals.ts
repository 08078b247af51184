import type { EventDocument } from "../api/types";
import type { Feed } from "./feed";

/**
 * A goal's events as `read` finds them, and behind them those that the feed brought while it was read: an event may
 * be in the log after the read passed its end, and on the page before the answer of the read is.
 */
export async function withArrivals(
  feed: Feed,
  goalId: string,
  read: Promise<EventDocument[]>,
): Promise<EventDocument[]> {
  const arrived: EventDocument[] = [];
  const leave = feed.onFrame((frame) => {
    if (frame.goal_id === goalId && frame.sequence !== undefined) arrived.push(frame as EventDocument);
  });
  try {
    const found = await read;
    const last = found.at(-1)?.sequence ?? 0;
    return [...found, ...arrived.filter((event) => event.sequence > last)];
  } finally {
    leave();
  }
}
