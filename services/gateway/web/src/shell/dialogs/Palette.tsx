import { useQuery } from "@tanstack/react-query";
import { useNavigate, useRouterState } from "@tanstack/react-router";
import { Command } from "cmdk";
import { useEffect, useRef, useState } from "react";
import { goals, graph } from "../../api/queries";
import { signOut, whoAsks } from "../../api/session";
import { Mark } from "../../states/StateMark";
import { goalState, taskState } from "../../states/state";
import { areas } from "../SideBar";

const GOAL_IN_PATH = /^\/(?:goals|review|plan)\/(g-[a-z0-9]+)/;

function Tasks({ goalId, go }: { goalId: string; go: (to: string) => void }) {
  const found = useQuery(graph(goalId)).data;
  return (
    <Command.Group heading="Tasks of this goal">
      {(found?.tasks ?? []).map((task) => (
        <Command.Item
          key={task.task_id}
          value={`${task.title} ${task.task_id}`}
          onSelect={() => go(`/goals/${goalId}?task=${task.task_id}`)}
        >
          <Mark {...taskState(task)} />
          <span className="one-line">{task.title}</span>
        </Command.Item>
      ))}
    </Command.Group>
  );
}

function Items({ words, go }: { words: string; go: (to: string) => void }) {
  const all = useQuery(goals()).data ?? [];
  const goalId = useRouterState({ select: (state) => GOAL_IN_PATH.exec(state.location.pathname)?.[1] });
  const sequence = /^#\d+$/.test(words) ? words.slice(1) : "";
  return (
    <Command.List>
      <Command.Empty>Nothing here is called that.</Command.Empty>
      {sequence && goalId && (
        <Command.Item value={words} onSelect={() => go(`/goals/${goalId}?tab=events&event=${sequence}`)}>
          Event {words} of this goal
        </Command.Item>
      )}
      {goalId && <Tasks goalId={goalId} go={go} />}
      <Command.Group heading="Goals">
        {all.map((goal) => (
          <Command.Item
            key={goal.goal_id}
            value={`${goal.goal} ${goal.goal_id}`}
            onSelect={() => go(`/goals/${goal.goal_id}`)}
          >
            <Mark {...goalState(goal)} />
            <span className="one-line grow">{goal.goal}</span>
            <span className="ink-3">{goalState(goal).word}</span>
          </Command.Item>
        ))}
      </Command.Group>
      <Command.Group heading="Go to">
        <Command.Item value="new goal submit" onSelect={() => go("/new")}>
          New goal
        </Command.Item>
        {areas({ questions: 0, verdicts: 0 }, 0).map((area) => (
          <Command.Item key={area.to} value={`go to ${area.name}`} onSelect={() => go(area.to)}>
            {area.name}
          </Command.Item>
        ))}
        {whoAsks()?.way === "session" && (
          <Command.Item value="sign out leave" onSelect={() => void signOut()}>
            Sign out
          </Command.Item>
        )}
      </Command.Group>
    </Command.List>
  );
}

/** Every word has to stand in it: a fuzzy match would put strangers before what was typed exactly. */
function holds(value: string, words: string): number {
  const text = value.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
    ? 1
    : 0;
}

/** Jump to a goal, a task, an event or a page. */
export function Palette({ open, close }: { open: boolean; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const [words, setWords] = useState("");
  useEffect(() => {
    if (!open) return dialog.current?.close();
    dialog.current?.showModal();
    // A dialog gives the focus to whatever comes first in it, which is a list here and no field.
    dialog.current?.querySelector("input")?.focus();
  }, [open]);
  function go(to: string) {
    close();
    setWords("");
    void navigate({ to });
  }
  return (
    <dialog ref={dialog} className="palette" onClose={close} aria-label="Search or jump to">
      {open && (
        <Command label="Search or jump to" loop filter={holds}>
          <Command.Input value={words} onValueChange={setWords} placeholder="A goal, a task, #214, a page" />
          <Items words={words} go={go} />
        </Command>
      )}
    </dialog>
  );
}
