import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { goals, letters } from "../api/queries";
import { signOut, whoAsks } from "../api/session";
import { count } from "../format/numbers";
import { Key } from "../keyboard/Key";
import { Mark } from "../states/StateMark";
import { goalState } from "../states/state";
import { Icon, type IconName } from "../ui/icons";
import { Appearance } from "./Appearance";
import { useFeed } from "./useFeed";

const RECENT = 5;

export interface Needs {
  questions: number;
  verdicts: number;
}

export interface Item {
  to: string;
  name: string;
  icon: IconName;
  badge: number;
  tone: string;
}

export function areas(needs: Needs, dead: number): Item[] {
  return [
    { to: "/", name: "Goals", icon: "goals", badge: 0, tone: "" },
    { to: "/inbox", name: "Inbox", icon: "inbox", badge: needs.questions, tone: "ask" },
    { to: "/review", name: "Review", icon: "review", badge: needs.verdicts, tone: "rev" },
    { to: "/dead-letters", name: "Dead letters", icon: "letters", badge: dead, tone: "idle" },
    { to: "/fleet", name: "Fleet", icon: "fleet", badge: 0, tone: "" },
    { to: "/analytics", name: "Analytics", icon: "analytics", badge: 0, tone: "" },
  ];
}

/** How the page stands to the log. */
export function LogChip({ wide }: { wide: boolean }) {
  const { status, position } = useFeed();
  const words = status === "stale" ? "Stale" : status === "live" ? "Live" : "Connecting";
  return (
    <div className={`log-chip ${status}`} title={`${words}, newest event #${count(position)}`}>
      {status === "stale" ? <Icon name="lost" /> : <i className="dot" aria-hidden="true" />}
      <span className={wide ? "grow" : "unseen"}>{words}</span>
      <span className={wide ? "figures ink-3" : "unseen"} data-position={position}>
        #{count(position)}
      </span>
    </div>
  );
}

function Recent() {
  const recent = (useQuery(goals()).data ?? []).toSorted((a, b) => b.last_seq - a.last_seq).slice(0, RECENT);
  if (!recent.length) return null;
  return (
    <nav aria-label="Recent goals" className="recent">
      <h2 className="small ink-3">Recent goals</h2>
      {recent.map((goal) => (
        <Link key={goal.goal_id} to="/goals/$goalId" params={{ goalId: goal.goal_id }} title={goal.goal}>
          <Mark {...goalState(goal)} />
          <span className="one-line">{goal.goal}</span>
        </Link>
      ))}
    </nav>
  );
}

/** Whose key this browser goes by; nothing where the hub asks for none. */
export function SignedIn({ wide }: { wide: boolean }) {
  const who = whoAsks();
  if (who?.way !== "session") return null;
  return (
    <button
      type="button"
      className="side-button"
      onClick={() => void signOut()}
      title={`Signed in as ${who.name}, scope ${who.scope}`}
      {...(wide ? {} : { "aria-label": "Sign out" })}
    >
      <Icon name="leave" />
      {wide && <span className="grow">Sign out</span>}
      {wide && <span className="ink-3 one-line">{who.name}</span>}
    </button>
  );
}

export function SideBar({ wide, needs, toggle }: { wide: boolean; needs: Needs; toggle: () => void }) {
  const dead = useQuery(letters()).data?.length ?? 0;
  return (
    <header className="side">
      <div className="brand">
        <Link to="/" aria-label="agenthub, goals">
          <Icon name="logo" />
          {wide && <b>agenthub</b>}
        </Link>
      </div>
      <Link
        to="/new"
        className="new-goal"
        title="New goal"
        {...(wide ? {} : { "aria-label": "New goal" })}
        aria-keyshortcuts="c"
      >
        <Icon name="plus" />
        {wide && (
          <>
            <span className="grow">New goal</span>
            <Key name="C" />
          </>
        )}
      </Link>
      <nav aria-label="Areas" className="areas">
        {areas(needs, dead).map((item) => (
          <Link
            key={item.to}
            to={item.to}
            title={item.name}
            activeOptions={{ exact: item.to === "/", includeSearch: false }}
            aria-label={item.badge ? `${item.name}, ${item.badge}` : item.name}
          >
            <Icon name={item.icon} />
            {wide && <span className="grow">{item.name}</span>}
            {item.badge > 0 && <i className={`badge ${item.tone}`} aria-hidden="true" data-count={item.badge} />}
          </Link>
        ))}
      </nav>
      {wide && <Recent />}
      <div className="grow" />
      <LogChip wide={wide} />
      <Appearance wide={wide} />
      <SignedIn wide={wide} />
      <button
        type="button"
        className="side-button"
        onClick={toggle}
        aria-keyshortcuts="\"
        aria-label={wide ? "Narrow the side bar" : "Widen the side bar"}
      >
        <Icon name="sidebar" />
        {wide && <span className="grow">Narrow</span>}
        {wide && <Key name="\" />}
      </button>
    </header>
  );
}
