import { useState } from "react";
import type { Goal } from "../api/types";
import { kept, useDraft } from "../kept/useDraft";
import { changed, type Draft } from "./edits";

interface Kept {
  revision: number;
  edits: number;
  drafts: Draft[];
}

/**
 * The edits of a plan that were not sent: kept while one looks elsewhere, as long as the plan is the one that was edited.
 * `outdated`: how many there were of an earlier one.
 */
export function usePlanDraft(goal: Goal, original: Draft[]) {
  const key = `agenthub-plan-${goal.goal_id}`;
  const [outdated] = useState(() => {
    const found = kept<Kept>(key);
    return found && found.revision !== goal.revision ? found.edits : 0;
  });
  const [draft, put, forget] = useDraft<Kept>(key, { revision: goal.revision, edits: 0, drafts: original });
  const drafts = draft.revision === goal.revision ? draft.drafts : original;
  const setDrafts = (next: Draft[]) =>
    put({ revision: goal.revision, edits: changed(next, original), drafts: next });
  return { drafts, setDrafts, forget, outdated };
}
