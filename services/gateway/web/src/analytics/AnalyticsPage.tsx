import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { analytics } from "../api/queries";
import type { Analytics } from "../api/types";
import { dollars, some, tokens } from "../format/numbers";
import { duration } from "../format/time";
import { gateTitle } from "../goal/model";
import { TopBar } from "../shell/TopBar";
import { Icon } from "../ui/icons";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { BarChart } from "./BarChart";
import { byDay, csvOf, estimateError, finished, firstPass, median, sum } from "./figures";
import { TimeChart } from "./TimeChart";
import "../styles/analytics.css";

const route = getRouteApi("/analytics");
const SPANS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["365", "a year"],
] as const;
const SHOWN = 8;
const whole = (value: number): string => String(Math.round(value * 100) / 100);

function Figure({ value, what }: { value: string; what: string }) {
  return (
    <div className="figure-box">
      <b className="question figures">{value}</b>
      <span className="ink-2">{what}</span>
    </div>
  );
}

function Figures({ found }: { found: Analytics }) {
  const done = finished(found);
  const lead = median(done.map((goal) => goal.lead_s ?? 0));
  const first = firstPass(found);
  const error = estimateError(found);
  const rounds = median(done.filter((goal) => goal.rounds).map((goal) => goal.rounds));
  const unpriced = sum(found.goals, (goal) => goal.unpriced_calls);
  return (
    <section className="figure-boxes" aria-label="In figures">
      <Figure value={lead === null ? "–" : duration(lead)} what="lead time, median" />
      <Figure value={first === null ? "–" : `${Math.round(first * 100)}%`} what="gates passed at first" />
      <Figure value={rounds === null ? "–" : whole(rounds)} what="test rounds until done" />
      <Figure
        value={unpriced ? "unknown" : dollars(sum(found.goals, (goal) => goal.cost_usd))}
        what={unpriced ? `cost, ${some(unpriced, "call")} without price` : "spent"}
      />
      <Figure
        value={String(found.goals.filter((goal) => goal.status === "completed").length)}
        what={`completed of ${found.goals.length}`}
      />
      <Figure value={error === null ? "–" : `× ${whole(error)}`} what="of the plan's estimate" />
    </section>
  );
}

function Charts({ found }: { found: Analytics }) {
  const days = useMemo(() => byDay(found), [found]);
  const longest = finished(found)
    .toSorted((a, b) => (b.lead_s ?? 0) - (a.lead_s ?? 0))
    .slice(0, SHOWN);
  const costly = found.goals
    .toSorted((a, b) => b.cost_usd - a.cost_usd || b.input_tokens - a.input_tokens)
    .slice(0, SHOWN);
  return (
    <div className="charts">
      <section>
        <h2>Completed by day</h2>
        <TimeChart label="Completed goals" days={days.days} values={days.completed} format={whole} />
      </section>
      <section>
        <h2>Cost by day of submission</h2>
        <TimeChart label="Cost" days={days.days} values={days.cost} format={dollars} />
      </section>
      <section>
        <h2>Working and waiting for people</h2>
        <p className="small ink-3 chart-key">
          <i className="i-run" />
          agents at work <i className="i-ask" />
          waiting for a person
        </p>
        <BarChart
          none="No goal has come to an end yet."
          rows={longest.map((goal) => ({
            name: goal.goal,
            parts: [
              { value: goal.working_s, tone: "run" },
              { value: goal.waiting_s, tone: "ask" },
            ],
            words: `${duration(goal.working_s)}, ${duration(goal.waiting_s)}`,
          }))}
        />
      </section>
      <section>
        <h2>Gates</h2>
        <p className="small ink-3 chart-key">
          <i className="i-ok" />
          passed in the first round <i className="i-idle" />
          later
        </p>
        <BarChart
          none="No gate has judged yet."
          rows={found.gates.map((gate) => ({
            name: gateTitle(gate.gate),
            parts: [
              { value: gate.passed_first, tone: "ok" },
              { value: Math.max(0, gate.goals - gate.passed_first), tone: "idle" },
            ],
            words: `${gate.passed_first} of ${gate.goals}, ${some(gate.rounds, "round")}`,
          }))}
        />
      </section>
      <section>
        <h2>Agents</h2>
        <BarChart
          none="No attempt has ended yet."
          rows={found.agents.slice(0, SHOWN).map((agent) => ({
            name: agent.agent,
            parts: [{ value: agent.working_s, tone: "run" }],
            words: `${duration(agent.working_s)}, ${some(agent.attempts, "attempt")}${agent.failed ? `, ${agent.failed} failed` : ""}, ${dollars(agent.cost_usd)}`,
          }))}
        />
      </section>
      <section>
        <h2>Models</h2>
        <BarChart
          none="No model was asked yet."
          rows={found.models.slice(0, SHOWN).map((model) => {
            const input = model.input_tokens + model.cache_read_tokens;
            return {
              name: model.model,
              parts: [
                { value: model.input_tokens + model.output_tokens, tone: "run" as const },
                { value: model.cache_read_tokens, tone: "idle" as const },
              ],
              words: `${some(model.calls, "call")}, ${tokens(input)} in, ${input ? Math.round((100 * model.cache_read_tokens) / input) : 0}% cached, ${tokens(model.output_tokens)} out, ${model.unpriced_calls ? "price unknown" : dollars(model.cost_usd)}`,
            };
          })}
        />
      </section>
      <section className="wide">
        <h2>Goals by cost</h2>
        <div className="scrolls" tabIndex={0} role="group" aria-label="Goals by cost">
          <table>
            <thead>
              <tr>
                <th>Goal</th>
                <th>State</th>
                <th>Lead time</th>
                <th>Estimate</th>
                <th>Rounds</th>
                <th>Questions</th>
                <th>Calls</th>
                <th>Cost</th>
              </tr>
            </thead>
            <tbody>
              {costly.map((goal) => (
                <tr key={goal.goal_id}>
                  <td className="break">
                    <Link className="link" to="/goals/$goalId" params={{ goalId: goal.goal_id }}>
                      {goal.goal}
                    </Link>
                  </td>
                  <td>{goal.status}</td>
                  <td>{goal.lead_s === null ? "–" : duration(goal.lead_s)}</td>
                  <td>{goal.estimated_s ? duration(goal.estimated_s) : "–"}</td>
                  <td>{goal.rounds}</td>
                  <td>{goal.questions}</td>
                  <td>{goal.llm_calls}</td>
                  <td>{goal.unpriced_calls ? "unknown" : dollars(goal.cost_usd)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </div>
  );
}

function download(found: Analytics) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csvOf(found.goals)], { type: "text/csv" }));
  link.download = "agenthub-goals.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

export function AnalyticsPage() {
  const { days = "30" } = route.useSearch();
  const span = SPANS.some(([value]) => value === days) ? Number(days) : 30;
  const found = useQuery(analytics(span));
  return (
    <>
      <TopBar path={[{ name: "Analytics" }]} />
      <main id="main" tabIndex={0} className="analytics">
        <h1 className="unseen">Analytics</h1>
        <div className="filters">
          <nav className="segments" aria-label="Goals of the last">
            {SPANS.map(([value, name]) => (
              <Link
                key={value}
                to="/analytics"
                search={{ days: value }}
                className={Number(value) === span ? "on" : ""}
              >
                {name}
              </Link>
            ))}
          </nav>
          <span className="grow" />
          {found.data && found.data.goals.length > 0 && (
            <button type="button" className="button light" onClick={() => download(found.data)}>
              <Icon name="download" />
              CSV
            </button>
          )}
        </div>
        {found.isPending && <Loading what="the figures" />}
        {found.isError && (
          <Problem
            what="The figures could not be read"
            meaning="Only this page is missing."
            error={found.error}
            retry={() => void found.refetch()}
          />
        )}
        {found.data &&
          (found.data.goals.length ? (
            <>
              <Figures found={found.data} />
              <Charts found={found.data} />
            </>
          ) : (
            <p className="empty-line">No goal was submitted in this time.</p>
          ))}
      </main>
    </>
  );
}
