import { useStored } from "../kept/useStored";
import type { Place } from "./DiffView";

export interface Comment extends Place {
  id: string;
  text: string;
}

export const keyOf = (place: Place): string => `${place.path}:${place.side}:${place.line}`;

/** Comments of this browser on a goal's branch, until they are sent as rework. */
export function useComments(goalId: string) {
  const [comments, setComments] = useStored<Comment[]>(`agenthub-comments-${goalId}`, []);
  return {
    comments,
    put: (place: Place, text: string) =>
      setComments([
        ...comments.filter((comment) => comment.id !== keyOf(place)),
        { ...place, id: keyOf(place), text },
      ]),
    remove: (id: string) => setComments(comments.filter((comment) => comment.id !== id)),
    clear: () => setComments([]),
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
