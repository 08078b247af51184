import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { holds } from "../api/queries";
import { count } from "../format/numbers";
import { clockOf, duration } from "../format/time";
import { useNow } from "../format/useNow";
import { feed } from "../live/feed";
import { Icon } from "../ui/icons";
import { useFeed } from "./useFeed";

const PATIENCE_MS = 1_500;
const SAID_MS = 3_000;

/** Why nothing is begun, on every page for as long as people want it so. */
function Maintenance() {
  const whole = useQuery(holds()).data?.maintenance;
  if (!whole) return null;
  return (
    <div className="banner tone-ask" role="status">
      <span className="grow">
        <b>Maintenance.</b> No order is given out since {clockOf(Date.parse(whole.since))}
        {whole.by && ` (${whole.by})`}
        {whole.reason && `: ${whole.reason}`}. What runs is finished; goals are taken and wait.
      </span>
    </div>
  );
}

/** One line over the page when it no longer shows the present, and when it does again. */
export function Banner() {
  const state = useFeed();
  const now = useNow();
  const lost = useRef(false);
  const [back, setBack] = useState(false);
  const stale = state.status === "stale" && now - state.since > PATIENCE_MS;
  useEffect(() => {
    if (stale) lost.current = true;
    if (state.status !== "live" || !lost.current) return;
    lost.current = false;
    setBack(true);
    const timer = setTimeout(() => setBack(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [stale, state.status]);
  if (stale) {
    return (
      <div className="banner tone-bad" role="alert">
        <Icon name="lost" />
        <span className="grow">
          <b>Connection lost.</b> You see the state of {clockOf(state.since)}
          <span aria-hidden="true">, {duration((now - state.since) / 1000)} ago</span>. The work does not depend on
          this page.
          <span aria-hidden="true"> Next try in {Math.max(0, Math.ceil((state.nextTry - now) / 1000))} s.</span>
        </span>
        <button type="button" className="button small" onClick={feed.retry}>
          Try now
        </button>
      </div>
    );
  }
  if (!back) return <Maintenance />;
  return (
    <div className="banner tone-ok" role="status">
      <span className="grow">Up to date, {count(state.caughtUp)} events caught up</span>
    </div>
  );
}
