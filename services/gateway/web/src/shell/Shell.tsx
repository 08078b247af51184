import { useIsFetching, useQuery } from "@tanstack/react-query";
import { Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { onKeyWanted } from "../api/client";
import { goals, inbox } from "../api/queries";
import { whoAsks } from "../api/session";
import { useStored } from "../kept/useStored";
import { useKeys } from "../keyboard/keys";
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

/** The form for a key while the hub does not know who is there, else everything. */
export function Shell() {
  const [locked, setLocked] = useState(() => whoAsks()?.way === "none");
  useEffect(() => onKeyWanted(() => setLocked(true)), []);
  useEffect(() => {
    if (locked) document.title = "Sign in · agenthub";
  }, [locked]);
  return locked ? <KeyForm /> : <Hub />;
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
