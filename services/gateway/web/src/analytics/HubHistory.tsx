import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { metricHistory } from "../api/queries";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { HistoryChart } from "./HistoryChart";
import { coursesOf, METRICS, stepsOf } from "./history";

const HOUR = "1h";

/** How the hub itself did: it keeps these metrics, whether or not a goal was submitted. */
export function HubHistory() {
  const found = useQuery(metricHistory(METRICS, "7d", HOUR));
  const drawn = useMemo(() => {
    if (!found.data) return null;
    const at = stepsOf(found.data);
    return { at, courses: coursesOf(found.data, at) };
  }, [found.data]);
  return (
    <section aria-label="The hub in the last 7 days">
      <div className="pane-head">
        <h2>The hub in the last 7 days</h2>
      </div>
      {found.isPending && <Loading what="the metrics of the hub" />}
      {found.isError && (
        <Problem
          what="The metrics of the hub could not be read"
          meaning="Only these charts are missing."
          error={found.error}
          retry={() => void found.refetch()}
        />
      )}
      {found.data && !found.data.are_kept && (
        <p className="empty-line">This hub keeps no metrics (AGENTHUB_TRACE_DAYS).</p>
      )}
      {found.data?.are_kept && (
        <div className="charts">
          {drawn?.courses.map((course) => (
            <section key={course.name}>
              <h3 className="small">
                {course.name} <span className="ink-3 plain">{course.note}</span>
              </h3>
              <HistoryChart name={course.name} at={drawn.at} values={course.values} format={course.format} />
            </section>
          ))}
        </div>
      )}
    </section>
  );
}
