import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";
import { Refused } from "../api/client";
import { attempts, diff, events, gates, goal as goalQuery, graph, knowledge } from "../api/queries";
import type { Goal } from "../api/types";
import { count } from "../format/numbers";
import { useNow } from "../format/useNow";
import { useKeys } from "../keyboard/keys";
import { NotFound } from "../shell/NotFound";
import { TopBar } from "../shell/TopBar";
import { OVER } from "../states/state";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { TabList } from "../ui/TabList";
import { usePrinting } from "../ui/usePrinting";
import { WhenRead } from "../ui/WhenRead";
import { EventList } from "./events/EventList";
import { GoalHead } from "./GoalHead";
import { type Model, modelOf } from "./model";
import { TaskDiff } from "./panel/TaskDiff";
import { TaskPanel } from "./panel/TaskPanel";
import { RunPane } from "./RunPane";
import { KnowledgeTab } from "./tabs/KnowledgeTab";
import { Requirements, withEvidence } from "./tabs/Requirements";
import { UsageTab } from "./tabs/UsageTab";
import "../styles/goal.css";

const ReplayTab = lazy(() => import("./replay/ReplayTab").then((module) => ({ default: module.ReplayTab })));
const TraceTab = lazy(() => import("./trace/TraceTab").then((module) => ({ default: module.TraceTab })));
const route = getRouteApi("/goals/$goalId");
const TABS = ["Run", "Requirements", "Diff", "Knowledge", "Usage", "Time", "Events", "Replay"] as const;
type Tab = (typeof TABS)[number];

const PHONE = matchMedia("(max-width: 760px)");
const tabOf = (word: string | undefined): Tab => TABS.find((tab) => tab.toLowerCase() === word) ?? "Run";

const asTable = (pane: string | undefined): boolean => (pane ? pane === "table" : PHONE.matches);

function useNotes(goal: Goal, evidence: number): Partial<Record<Tab, string>> {
  const changed = useQuery({ ...diff(goal.goal_id), enabled: goal.head !== "" }).data?.files ?? [];
  const known = useQuery(knowledge(goal.goal_id)).data?.length ?? 0;
  const total = useQuery(events(goal.goal_id)).data?.length ?? goal.events;
  const sum = (pick: "added" | "removed") => changed.reduce((all, file) => all + file[pick], 0);
  return {
    Requirements: goal.requirements.length ? `${evidence} of ${goal.requirements.length}` : "",
    Diff: changed.length ? `+${count(sum("added"))} −${count(sum("removed"))}` : "",
    Knowledge: known ? String(known) : "",
    Events: count(total),
  };
}

interface Looking {
  goal: Goal;
  tab: Tab;
  change: (part: Record<string, string>) => void;
}

/** The tabs that look back, each loaded when it is opened. */
function Past({ goal, tab, change }: Looking) {
  const { at = "", against = "" } = route.useSearch();
  return (
    <Suspense fallback={<Loading what="the past" />}>
      {tab === "Replay" && <ReplayTab goal={goal} at={at} against={against} change={change} />}
      {tab === "Time" && (
        <TraceTab goalId={goal.goal_id} running={!(OVER.has(goal.status) || goal.status === "ready_for_review")} />
      )}
    </Suspense>
  );
}

function Body({ goal, model, tab }: { goal: Goal; model: Model; tab: Tab }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const now = useNow();
  const printing = usePrinting();
  const rounds = useQuery(gates(goal.goal_id));
  const tries = useQuery(attempts(goal.goal_id)).data ?? [];
  const change = (part: Record<string, string>) =>
    void navigate({
      search: (old) => ({
        ...old,
        ...Object.fromEntries(Object.entries(part).map(([key, value]) => [key, value || undefined])),
      }),
      // What one has opened is left by the button Back; filters and places within it are no stops.
      replace: part.task === undefined,
    });
  const selected = search.task ? (model.byTask.get(search.task)?.id ?? search.task) : "";
  const node = model.byTask.get(selected) ?? model.nodes.find((other) => other.id === selected);
  const list = (
    <EventList
      goalId={goal.goal_id}
      model={model}
      now={now}
      change={change}
      filter={{ find: search.find ?? "", only: search.only ?? "", event: search.event ?? "" }}
    />
  );
  const open = (id: string) => change({ task: id, panel: "" });
  const panel = node && (
    <TaskPanel
      key={node.id}
      goal={goal}
      node={node}
      now={now}
      shown={search.panel ?? ""}
      show={(name) => change({ panel: name })}
      close={() => change({ task: "", panel: "" })}
    />
  );
  const table = printing || asTable(search.pane);
  const trouble = model.nodes.filter((other) => ["bad", "ask"].includes(other.state.tone));
  useKeys({
    v: () => change({ pane: table ? "graph" : "table" }),
    ".": () => {
      const at = trouble.findIndex((other) => other.id === selected);
      open(trouble[(at + 1) % Math.max(1, trouble.length)]?.id ?? selected);
    },
  });
  return (
    <div className={node ? "goal-body with-panel" : "goal-body"}>
      {tab === "Run" && (
        <RunPane
          goal={goal}
          model={model}
          attempts={tries}
          selected={selected}
          now={now}
          table={table}
          open={open}
          over={OVER.has(goal.status) || goal.status === "ready_for_review"}
          setTable={(on) => change({ pane: on ? "table" : "graph" })}
          events={list}
          panel={panel}
        />
      )}
      {tab !== "Run" && (
        <div className="goal-split">
          <div className="scrolls tab-body" role="tabpanel" tabIndex={0} aria-label={tab}>
            {tab === "Events" && list}
            {tab === "Requirements" && (
              <WhenRead query={rounds} what="the evidence" meaning="The gates go on without this list.">
                {(read) => <Requirements goal={goal} rounds={read} open={open} />}
              </WhenRead>
            )}
            {tab === "Diff" && <TaskDiff goalId={goal.goal_id} />}
            {tab === "Knowledge" && <KnowledgeTab goalId={goal.goal_id} model={model} now={now} />}
            <Past goal={goal} tab={tab} change={change} />
            {tab === "Usage" && <UsageTab goalId={goal.goal_id} model={model} open={open} />}
          </div>
          {panel}
        </div>
      )}
    </div>
  );
}

function Loaded({ goal }: { goal: Goal }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const now = useNow();
  const drawn = useQuery(graph(goal.goal_id));
  const rounds = useQuery(gates(goal.goal_id)).data;
  const model = useMemo(() => modelOf(goal, drawn.data?.tasks ?? [], rounds ?? []), [goal, drawn.data, rounds]);
  const tab = tabOf(search.tab);
  const notes = useNotes(goal, withEvidence(goal, rounds ?? []));
  const added = (drawn.data?.tasks ?? []).filter((task) => !["planner", "human", ""].includes(task.origin)).length;
  return (
    <>
      <GoalHead goal={goal} now={now} added={added} />
      <TabList
        names={TABS}
        chosen={tab}
        label="Of this goal"
        notes={notes}
        choose={(name) =>
          void navigate({
            search: (old) => ({ ...old, tab: name === "Run" ? undefined : name.toLowerCase() }),
          })
        }
      />
      {drawn.isPending ? (
        <Loading what="the graph" />
      ) : drawn.isError && !drawn.data ? (
        <Problem
          what="The graph could not be read"
          meaning="Work goes on; only this view is missing."
          error={drawn.error}
          retry={() => void drawn.refetch()}
        />
      ) : (
        <Body goal={goal} model={model} tab={tab} />
      )}
    </>
  );
}

export function GoalPage() {
  const { goalId } = route.useParams();
  const found = useQuery(goalQuery(goalId));
  if (found.isError && found.error instanceof Refused && found.error.status === 404) return <NotFound />;
  const name = found.data?.goal ?? goalId;
  return (
    <>
      <TopBar
        path={[{ name: "Goals", to: "/" }, { name }]}
        aside={<code className="ink-3 goal-id">{goalId}</code>}
      />
      <main id="main" className="goal-page" tabIndex={-1}>
        {found.isPending && <Loading what="the goal" />}
        {found.isError && !found.data && (
          <Problem
            what="The goal could not be read"
            meaning="Work goes on; only this page is missing."
            error={found.error}
            retry={() => void found.refetch()}
          />
        )}
        {found.data && <Loaded goal={found.data} />}
      </main>
    </>
  );
}
