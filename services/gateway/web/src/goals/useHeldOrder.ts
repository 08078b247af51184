import { useRef, useState } from "react";
import type { Goal } from "../api/types";
import { type Group, groupOf } from "./groups";

interface Placed {
  goal: Goal;
  group: Group;
}

/** Rows do not move under the pointer or away from the focus: while either is in the list, known rows keep their place. */
export function useHeldOrder(ordered: readonly Goal[]) {
  const places = useRef(new Map<string, { at: number; group: Group }>());
  const [held, setHeld] = useState(false);
  let placed: Placed[] = ordered.map((goal) => ({ goal, group: groupOf(goal) }));
  if (held) {
    const known = places.current;
    const fresh = placed.filter(({ goal }) => !known.has(goal.goal_id));
    const kept = placed
      .flatMap(({ goal }) => {
        const place = known.get(goal.goal_id);
        return place ? [{ goal, group: place.group, at: place.at }] : [];
      })
      .sort((a, b) => a.at - b.at);
    placed = [...kept, ...fresh].sort((a, b) => order(a.group) - order(b.group));
  } else {
    places.current = new Map(placed.map(({ goal, group }, at) => [goal.goal_id, { at, group }]));
  }
  const hold = {
    onPointerEnter: () => setHeld(true),
    onPointerLeave: (event: React.PointerEvent<HTMLElement>) =>
      setHeld(event.currentTarget.contains(document.activeElement)),
    onFocus: () => setHeld(true),
    onBlur: (event: React.FocusEvent<HTMLElement>) =>
      setHeld(event.currentTarget.contains(event.relatedTarget) || event.currentTarget.matches(":hover")),
  };
  return { placed, hold };
}

const order = (group: Group): number => ["Needs you", "Running", "Finished"].indexOf(group);
