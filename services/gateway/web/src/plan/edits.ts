import type { PlanTask, Task } from "../api/types";

/** A task of the plan as it is edited; `was` is null for one that a person has added. */
export interface Draft {
  task: PlanTask;
  was: PlanTask | null;
}

/** The planned tasks as the API takes them back: dependencies by key, and only on tasks listed before. */
export function draftsOf(tasks: readonly Task[]): Draft[] {
  const keys = new Map(tasks.map((task) => [task.task_id, task.key_name]));
  return tasks
    .filter((task) => task.kind === "work")
    .map((task) => {
      const plain: PlanTask = {
        key: task.key_name,
        title: task.title,
        details: task.details,
        agent: task.agent,
        depends_on: task.depends_on.map((id) => keys.get(id) ?? id),
        complexity: task.complexity as PlanTask["complexity"],
        estimate_minutes: task.estimate_minutes || null,
        acceptance: task.acceptance,
        requirement_ids: task.requirement_ids,
        writes: task.writes,
        changes_tests: task.changes_tests,
        timeout_s: task.timeout_s || null,
      };
      return { task: plain, was: plain };
    });
}

export const isEdited = (draft: Draft): boolean => JSON.stringify(draft.task) !== JSON.stringify(draft.was);

export function changed(drafts: readonly Draft[], original: readonly Draft[]): number {
  const gone = original.filter((old) => !drafts.some((draft) => draft.was?.key === old.task.key)).length;
  return gone + drafts.filter(isEdited).length;
}

/** `4, 6` as the keys of the tasks with these numbers. */
export function keysOf(text: string, drafts: readonly Draft[]): string[] {
  return text.split(/[\s,]+/).flatMap((part) => drafts[Number(part) - 1]?.task.key ?? []);
}

export function numbersOf(keys: readonly string[], drafts: readonly Draft[]): string {
  return keys
    .map((key) => drafts.findIndex((draft) => draft.task.key === key) + 1)
    .filter(Boolean)
    .sort((a, b) => a - b)
    .join(", ");
}

export function without(drafts: readonly Draft[], key: string): Draft[] {
  return drafts
    .filter((draft) => draft.task.key !== key)
    .map((draft) => ({
      ...draft,
      task: { ...draft.task, depends_on: draft.task.depends_on.filter((other) => other !== key) },
    }));
}

export function added(drafts: readonly Draft[]): Draft[] {
  let number = drafts.length + 1;
  while (drafts.some((draft) => draft.task.key === `added-${number}`)) number += 1;
  const task: PlanTask = {
    key: `added-${number}`,
    title: "New task",
    details: "",
    agent: "coding",
    depends_on: [],
    complexity: "medium",
    estimate_minutes: null,
    acceptance: [],
    requirement_ids: [],
    writes: [],
    changes_tests: [],
    timeout_s: null,
  };
  return [...drafts, { task, was: null }];
}
