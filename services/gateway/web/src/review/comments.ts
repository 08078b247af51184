import { useEffect, useRef } from "react";
import { useDraft } from "../kept/useDraft";
import { useStored } from "../kept/useStored";
import type { Place } from "./DiffView";

export interface Comment extends Place {
  id: string;
  text: string;
}

export const keyOf = (place: Place): string => `${place.path}:${place.side}:${place.line}`;

/** Comments of this browser on a goal's branch, until they are sent as rework; on the lines of `unkept` one is written. */
export function useComments(goalId: string) {
  const [comments, setComments] = useStored<Comment[]>(`agenthub-comments-${goalId}`, []);
  const [unkept, setUnkept] = useDraft<Place[]>(`agenthub-commenting-${goalId}`, []);
  const latest = useRef(comments);
  useEffect(() => {
    latest.current = comments;
  });
  const without = (id: string) => comments.filter((comment) => comment.id !== id);
  const close = (id: string) => setUnkept(unkept.filter((place) => keyOf(place) !== id));
  return {
    comments,
    unkept,
    /** Go on with the comment on this line, or begin one. */
    open: (place: Place) => setUnkept([...unkept.filter((other) => keyOf(other) !== keyOf(place)), place]),
    put: (place: Place, text: string) => {
      setComments([...without(keyOf(place)), { ...place, id: keyOf(place), text }]);
      close(keyOf(place));
    },
    remove: (id: string) => {
      setComments(without(id));
      close(id);
    },
    /** Those that were sent are none any more; what was commented on meanwhile stays. */
    clear: (sent: readonly Comment[]) => setComments(latest.current.filter((comment) => !sent.includes(comment))),
  };
}

/** The words that agents get: each comment with its place. */
export function feedbackOf(comments: readonly Comment[], more: string): string {
  const lines = comments.map(
    (comment) =>
      `${comment.path}:${comment.line}${comment.side === "old" ? " (removed line)" : ""}: ${comment.text}`,
  );
  return [...lines, more.trim()].filter(Boolean).join("\n\n");
}
