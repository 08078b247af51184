import { useIsFetching, useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { Activity, useEffect, useRef, useState } from "react";
import { onKeyWanted } from "../api/client";
import { goals, inbox } from "../api/queries";
import { enter, whoAsks } from "../api/session";
import { useStored } from "../kept/useStored";
import { useKeys } from "../keyboard/keys";
import { feed } from "../live/feed";
import { waitsForApproval } from "../states/state";
import { Banner } from "./Banner";
import { KeyForm } from "./dialogs/KeyForm";
import { KeyHelp } from "./dialogs/KeyHelp";
import { Palette } from "./dialogs/Palette";
import { SideBar } from "./SideBar";
import { Tabs } from "./Tabs";
import { Toasts } from "./Toasts";
import { useFeed } from "./useFeed";
import { useTellings } from "./useTellings";

const NARROW = /^\/(goals\/g-|review\/|plan\/)/;
const CHORD_MS = 1_200;

function useNeeds() {
  const all = useQuery(goals()).data ?? [];
  const questions = useQuery(inbox()).data ?? [];
  const verdicts = all.filter((goal) => goal.status === "ready_for_review" || waitsForApproval(goal));
  return { questions: questions.length, verdicts: verdicts.length };
}

function useTitle(needs: number) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => {
    const area = path.split("/")[1] || "goals";
    const name = `${area[0]?.toUpperCase() ?? ""}${area.slice(1).replace("-", " ")}`;
    document.title = `${needs ? `(${needs}) ` : ""}${name} · agenthub`;
  }, [path, needs]);
}

/** Nothing lies over the form for a key; what was typed there is typed still. */
function closeAllOver(): void {
  for (const dialog of document.querySelectorAll<HTMLDialogElement>("dialog[open]")) dialog.close();
  for (const over of document.querySelectorAll<HTMLElement>(":popover-open")) over.hidePopover();
}

/**
 * The form for a key while the hub does not know who is there, else everything. A page whose session ends is put out of
 * sight as it stands, and goes on when the same person is back.
 */
export function Shell() {
  const queries = useQueryClient();
  const [begun] = useState(() => whoAsks()?.way !== "none");
  const [locked, setLocked] = useState(!begun);
  useEffect(() => onKeyWanted(() => setLocked(true)), []);
  useEffect(() => {
    if (!locked) return;
    closeAllOver();
    document.title = "Sign in · agenthub";
  }, [locked]);
  async function back() {
    const before = whoAsks();
    const now = await enter();
    // Who else has come sees nothing of the one before.
    if (!begun || now?.name !== before?.name || now?.scope !== before?.scope) return location.reload();
    feed.start();
    void queries.invalidateQueries();
    setLocked(false);
  }
  return (
    <>
      {locked && <KeyForm ended={begun} back={back} />}
      {begun && (
        <Activity mode={locked ? "hidden" : "visible"}>
          <Hub />
        </Activity>
      )}
    </>
  );
}

/** What stands around every page. */
function Hub() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const navigate = useNavigate();
  const kind = NARROW.test(path) ? "narrow" : "wide";
  const lists = useStored("agenthub-bar-wide", true);
  const details = useStored("agenthub-bar-narrow", false);
  const [wide, setWide] = kind === "wide" ? lists : details;
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const chord = useRef(0);
  const needs = useNeeds();
  const { status } = useFeed();
  const reading = useIsFetching();
  useTitle(needs.questions + needs.verdicts);
  useTellings();
  const jump = (to: string) => () => {
    if (Date.now() - chord.current >= CHORD_MS) return false;
    chord.current = 0;
    return navigate({ to });
  };
  useKeys({
    "mod+k": () => setPalette(true),
    "?": () => setHelp(true),
    c: () => void navigate({ to: "/new" }),
    g: () => {
      if (Date.now() - chord.current < CHORD_MS) void navigate({ to: "/" });
      chord.current = Date.now();
    },
    i: jump("/inbox"),
    r: jump("/review"),
    d: jump("/dead-letters"),
    f: jump("/fleet"),
    a: jump("/analytics"),
    "\\": () => setWide(!wide),
  });
  return (
    <div
      className={`shell ${wide ? "" : "narrow"} ${status === "stale" ? "is-stale" : ""}`}
      data-reading={reading > 0 || status === "connecting"}
    >
      <a className="skip" href="#main">
        Skip to the page
      </a>
      <SideBar wide={wide} needs={needs} toggle={() => setWide(!wide)} />
      <div className="page">
        <Banner />
        <Outlet />
      </div>
      <Tabs needs={needs} />
      <Palette open={palette} close={() => setPalette(false)} />
      <KeyHelp open={help} close={() => setHelp(false)} />
      <Toasts />
    </div>
  );
}
