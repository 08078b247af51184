import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { ChangeData } from "react-diff-view";
import { Refused, save } from "../api/client";
import { diff, gates, goal as goalQuery, graph } from "../api/queries";
import type { Goal } from "../api/types";
import { count, dollars, limit, some } from "../format/numbers";
import { useNow } from "../format/useNow";
import { useStored } from "../kept/useStored";
import { Key } from "../keyboard/Key";
import { useKeys } from "../keyboard/keys";
import { NotFound } from "../shell/NotFound";
import { TopBar } from "../shell/TopBar";
import { StateChip } from "../states/StateMark";
import { goalState } from "../states/state";
import { CopyButton } from "../ui/CopyButton";
import { useCommand } from "../ui/commands/useCommand";
import { Icon } from "../ui/icons";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { CommentBox } from "./CommentBox";
import { keyOf, useComments } from "./comments";
import { DiffView, type Place, placeOf } from "./DiffView";
import { Evidence } from "./Evidence";
import { FileTree } from "./FileTree";
import { Verdict } from "./Verdict";

const route = getRouteApi("/review/$goalId");

function Head({ goal }: { goal: Goal }) {
  const tests = useCommand("The test run");
  const clone = `agenthub goal pull ${goal.goal_id}`;
  return (
    <div className="head review-head">
      <div className="head-line">
        <h1 dir="auto" title={goal.goal}>
          {goal.goal}
        </h1>
        <StateChip state={goalState(goal)} />
        <span className="grow" />
        <button
          type="button"
          className="button"
          disabled={tests.busy}
          onClick={() =>
            void tests.send(
              `/goals/${goal.goal_id}/tests`,
              {},
              { title: "The tests run on the head of the branch" },
            )
          }
        >
          <Icon name="play" />
          Run tests now
        </button>
        <button
          type="button"
          className="button"
          disabled={!goal.head}
          onClick={() => void save(`/api/v1/goals/${goal.goal_id}/bundle`, `agenthub-${goal.goal_id}.bundle`)}
        >
          <Icon name="download" />
          Download
        </button>
        <CopyButton text={clone} label="Copy “goal pull”" />
      </div>
      <div className="facts figures">
        <span>
          <b>{goal.tasks_done}</b> of {goal.tasks_total} tasks
        </span>
        {goal.rework_round > 0 && (
          <span>
            round <b>{goal.rework_round}</b> of rework
          </span>
        )}
        <span>
          <b>{dollars(goal.cost_usd)}</b>
          {goal.max_cost_usd ? ` of ${limit(goal.max_cost_usd)}` : ""}
        </span>
        <span>{some(goal.llm_calls, "model call")}</span>
        <span className="row">
          <Icon name="branch" />
          <code>goal/{goal.goal_id}</code> <code className="ink-3">{goal.head.slice(0, 7)}</code>
        </span>
      </div>
    </div>
  );
}

function useViewed(goal: Goal) {
  // A file counts as viewed for one head of the branch only.
  const [seen, setSeen] = useStored<{ head: string; paths: string[] }>(`agenthub-viewed-${goal.goal_id}`, {
    head: "",
    paths: [],
  });
  const paths = new Set(seen.head === goal.head ? seen.paths : []);
  const view = (path: string, on: boolean) =>
    setSeen({ head: goal.head, paths: on ? [...paths, path] : [...paths].filter((other) => other !== path) });
  return { viewed: paths, view };
}

function Files({ goal }: { goal: Goal }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const away = useNavigate();
  const now = useNow();
  const taskId = search.task ?? "";
  const found = useQuery(diff(goal.goal_id, taskId));
  const judged = useQuery(gates(goal.goal_id));
  const rounds = judged.data ?? [];
  const tasks = (useQuery(graph(goal.goal_id)).data?.tasks ?? []).filter((task) => task.files.length);
  const [split, setSplit] = useStored("agenthub-split", false);
  const [opened, setOpened] = useState("");
  const drafts = useComments(goal.goal_id);
  const comment = (place: Place) => {
    setOpened(keyOf(place));
    drafts.open(place);
  };
  const { viewed, view } = useViewed(goal);
  const files = found.data?.files ?? [];
  const chosen = files.find((file) => file.path === search.file)?.path ?? files[0]?.path ?? "";
  const makers = tasks
    .filter((task) => task.files.some((file) => file.path === chosen))
    .map((task) => task.title)
    .join(", ");
  const choose = (path: string) => void navigate({ search: (old) => ({ ...old, file: path }), replace: true });
  const step = (by: number) =>
    choose(
      files[Math.min(files.length - 1, Math.max(0, files.findIndex((file) => file.path === chosen) + by))]?.path ??
        chosen,
    );
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    v: () => view(chosen, !viewed.has(chosen)),
    m: () => document.querySelector<HTMLElement>(".diff-view .line-number")?.focus(),
  });
  const widget = (path: string, change: ChangeData) => {
    const place = placeOf(path, change);
    const id = keyOf(place);
    const editing = drafts.unkept.some((other) => keyOf(other) === id);
    const kept = drafts.comments.find((other) => other.id === id);
    if (!kept && !editing) return null;
    return (
      <CommentBox
        key={id}
        draft={`agenthub-comment-${goal.goal_id}-${id}`}
        place={place}
        text={kept?.text ?? ""}
        editing={editing}
        fresh={id === opened}
        save={(words) => drafts.put(place, words)}
        edit={() => comment(place)}
        remove={() => drafts.remove(id)}
      />
    );
  };
  const sum = (pick: "added" | "removed") => files.reduce((all, file) => all + file[pick], 0);
  return (
    <div className="review-body">
      <nav className="review-files scrolls" aria-label="Changed files">
        <div className="pane-head figures">
          <h2>{some(files.length, "file")}</h2>
          <span className="add">+{count(sum("added"))}</span>
          <span className="del">−{count(sum("removed"))}</span>
        </div>
        <div className="padded-small">
          <select
            aria-label="Of which task"
            value={taskId}
            onChange={(event) =>
              void navigate({ search: { task: event.target.value || undefined }, replace: true })
            }
          >
            <option value="">All tasks</option>
            {tasks.map((task) => (
              <option key={task.task_id} value={task.task_id}>
                {task.title}
              </option>
            ))}
          </select>
        </div>
        <FileTree files={files} chosen={chosen} viewed={viewed} choose={choose} />
      </nav>
      <section className="review-diff" aria-label="Diff">
        <div className="pane-head">
          <span className="one-line grow ink-2" title={makers}>
            {makers ? `by ${makers}` : ""}
          </span>
          <fieldset className="segments" aria-label="Form of the diff">
            <button type="button" aria-pressed={!split} onClick={() => setSplit(false)}>
              Unified
            </button>
            <button type="button" aria-pressed={split} onClick={() => setSplit(true)}>
              Split
            </button>
          </fieldset>
        </div>
        <div className="scrolls grow">
          {found.isPending && <Loading what="the diff" />}
          {found.isError &&
            (found.error instanceof Refused && found.error.status === 404 ? (
              <p className="empty-line">Nothing of this task is on the branch.</p>
            ) : (
              <Problem
                what="The diff could not be read"
                meaning="The branch is not touched; only this view is missing."
                error={found.error}
                retry={() => void found.refetch()}
              />
            ))}
          {found.data && !files.length && <p className="empty-line">Nothing was changed.</p>}
          {found.data && (
            <DiffView
              text={found.data.diff}
              files={files}
              split={split}
              only={chosen}
              viewed={viewed}
              view={view}
              comment={comment}
              widget={widget}
            />
          )}
        </div>
        <div className="foot small ink-3 review-keys">
          <span>
            <Key name="J" /> <Key name="K" /> file
          </span>
          <span>
            <Key name="M" /> comment
          </span>
          <span>
            <Key name="V" /> viewed
          </span>
          <span className="grow" />
          <span className="figures">
            {viewed.size} of {files.length} viewed
          </span>
        </div>
      </section>
      <aside className="review-verdict" aria-label="Evidence and verdict">
        <Evidence
          goal={goal}
          rounds={rounds}
          now={now}
          open={(task) => void away({ to: "/goals/$goalId", params: { goalId: goal.goal_id }, search: { task } })}
        />
        <Verdict
          goal={goal}
          rounds={rounds}
          waits={judged.isPending}
          comments={drafts.comments}
          unkept={drafts.unkept}
          now={now}
          clear={drafts.clear}
        />
      </aside>
    </div>
  );
}

export function ReviewPage() {
  const { goalId } = route.useParams();
  const found = useQuery(goalQuery(goalId));
  if (found.isError && found.error instanceof Refused && found.error.status === 404) return <NotFound />;
  return (
    <>
      <TopBar path={[{ name: "Review", to: "/review" }, { name: found.data?.goal ?? goalId }]} />
      <main id="main" className="review-page" tabIndex={-1}>
        {found.isPending && <Loading what="the goal" />}
        {found.isError && !found.data && (
          <Problem
            what="The goal could not be read"
            meaning="Nothing is merged without you."
            error={found.error}
            retry={() => void found.refetch()}
          />
        )}
        {found.data && (
          <>
            <Head goal={found.data} />
            <Files goal={found.data} />
          </>
        )}
      </main>
    </>
  );
}
