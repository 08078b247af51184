import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { goalCheck } from "../api/queries";
import type { GoalCheck, Problem } from "../api/types";
import { inWords } from "../api/wording";
import { useSettled } from "../ui/useSettled";
import { bodyOf, type Draft } from "./draft";

const TYPED_MS = 500;

export interface Check {
  /** What the hub would take the form as; null before it has been asked. */
  found: GoalCheck | null;
  /** What it would refuse at a place of the body; undefined for nothing. */
  wrong: (key: string) => string | undefined;
  /** Whether it would refuse something, and has looked no further. */
  refused: boolean;
  /** Whether the answer is about what stands in the form now. */
  current: boolean;
}

/** Whether a place of the body is this one, or lies within it. */
export function isAt(place: string, key: string): boolean {
  return place === key || place.startsWith(`${key}[`);
}

/** What is said of a place in the body and of all within it, a line each. */
export function messageAt(errors: Problem["errors"], key: string): string | undefined {
  const lines = (errors ?? [])
    .filter((error) => isAt(error.key, key))
    .map((error) => {
      const place = /^\[(\d+)\]/.exec(error.key.slice(key.length))?.[1];
      return `${place ? `No. ${Number(place) + 1}: ` : ""}${inWords(error.message)}`;
    });
  return lines.length ? lines.join("\n") : undefined;
}

/** What the hub says of the form while it is filled in. A goal without words is asked about by nobody. */
export function useCheck(draft: Draft): Check {
  const words = JSON.stringify(bodyOf(draft));
  const settled = useSettled(words, TYPED_MS);
  const body = JSON.parse(settled) as ReturnType<typeof bodyOf>;
  const asked = useQuery({ ...goalCheck(body), enabled: Boolean(body.goal), placeholderData: keepPreviousData });
  const current = words === settled && Boolean(body.goal) && !asked.isFetching && !asked.isPlaceholderData;
  // A hub that is away is said elsewhere.
  const found = body.goal && !asked.isError ? (asked.data ?? null) : null;
  const wrong = (key: string) => (current ? messageAt(found?.refusals ?? [], key) : undefined);
  return {
    found: found?.understood ? found : null,
    wrong,
    refused: current && found?.understood === null,
    current,
  };
}
