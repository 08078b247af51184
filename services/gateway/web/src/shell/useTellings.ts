import type { QueryClient } from "@tanstack/react-query";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { goal as goalQuery } from "../api/queries";
import type { Goal } from "../api/types";
import type { Frame } from "../live/events";
import { feed } from "../live/feed";
import type { Tone } from "../states/state";
import { notices } from "../ui/notices";

interface Telling {
  tone: Tone;
  words: (name: string) => string;
  to: (goalId: string) => string;
  action: string;
}

const TOLD: Record<string, Telling> = {
  "goal.ready_for_review": {
    tone: "rev",
    words: (name) => `Goal “${name}” is ready for review`,
    to: (id) => `/review/${id}`,
    action: "Review",
  },
  "goal.completed": {
    tone: "ok",
    words: (name) => `Goal “${name}” is completed`,
    to: (id) => `/goals/${id}`,
    action: "Open",
  },
  "goal.failed": {
    tone: "bad",
    words: (name) => `Goal “${name}” failed`,
    to: (id) => `/goals/${id}`,
    action: "Open",
  },
  "goal.stalled": {
    tone: "bad",
    words: (name) => `Goal “${name}” stalled`,
    to: (id) => `/goals/${id}`,
    action: "Open",
  },
  "agent.blocked": {
    tone: "ask",
    words: (name) => `An agent of “${name}” asks you`,
    to: () => "/inbox",
    action: "Answer",
  },
};

async function nameOf(queries: QueryClient, goalId: string): Promise<string> {
  const known = queries.getQueryData<Goal[]>(["goals"])?.find((goal) => goal.goal_id === goalId);
  return known?.goal ?? (await queries.fetchQuery(goalQuery(goalId))).goal;
}

async function tell(queries: QueryClient, frame: Frame): Promise<void> {
  const telling = TOLD[frame.type];
  if (!telling || !frame.goal_id) return;
  const to = telling.to(frame.goal_id);
  const title = telling.words(await nameOf(queries, frame.goal_id));
  const text = frame.type === "agent.blocked" ? String(frame.event?.question ?? "") : "";
  // A toast is for what the person cannot see on this page.
  const visible = location.pathname.startsWith(to) || location.pathname.includes(frame.goal_id);
  notices.add({ tone: telling.tone, title, text, to, action: telling.action, toast: !visible });
  if (document.hidden && "Notification" in window && Notification.permission === "granted") {
    new Notification(title, { body: text, tag: `${frame.goal_id}-${frame.type}` });
  }
}

/** What people are told of although they look at something else. */
export function useTellings(): void {
  const queries = useQueryClient();
  useEffect(
    () =>
      feed.onFrame((frame) => {
        void tell(queries, frame).catch(() => undefined);
      }),
    [queries],
  );
}
