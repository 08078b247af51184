import { useSyncExternalStore } from "react";
import { type FeedState, feed } from "../live/feed";

/** How the page stands to the log. */
export function useFeed(): FeedState {
  return useSyncExternalStore(feed.watch, feed.snapshot);
}
