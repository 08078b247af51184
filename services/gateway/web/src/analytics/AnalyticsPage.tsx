import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { analytics } from "../api/queries";
import type { Analytics } from "../api/types";
import { dollars, some, tokens } from "../format/numbers";
import { brief, duration } from "../format/time";
import { gateTitle } from "../goal/model";
import { TopBar } from "../shell/TopBar";
import { Icon } from "../ui/icons";
import { Loading } from "../ui/Loading";
import { Problem } from "../ui/Problem";
import { BarChart } from "./BarChart";
import {
  byDay,
  csvOf,
  type Days,
  estimateError,
  finished,
  firstPass,
  median,
  quantile,
  sum,
  waited,
} from "./figures";
import { HubHistory } from "./HubHistory";
import { type Series, TimeChart } from "./TimeChart";
import "../styles/analytics.css";

const route = getRouteApi("/analytics");
const SPANS = [
  ["7", "7 days"],
  ["30", "30 days"],
  ["365", "a year"],
] as const;
const SHOWN = 8;
const whole = (value: number): string => String(Math.round(value * 100) / 100);

function Figure({ name, value, note }: { name: string; value: string; note: string }) {
  return (
    <div className="figure-box">
      <span className="ink-3 small">{name}</span>
      <b className="question figures">{value}</b>
      <span className="ink-3 small one-line" title={note} dir="auto">
        {note}
      </span>
    </div>
  );
}

const percent = (share: number | null): string => (share === null ? "–" : `${Math.round(share * 100)}%`);

function LeadFigures({ found }: { found: Analytics }) {
  const done = finished(found);
  const leads = done.map((goal) => goal.lead_s ?? 0);
  const lead = median(leads);
  const gates = found.gates.map(
    (gate) =>
      `${gateTitle(gate.gate).toLowerCase()} ${percent(gate.goals ? gate.passed_first / gate.goals : null)}`,
  );
  return (
    <>
      <Figure
        name="Lead time, median"
        value={lead === null ? "–" : duration(lead)}
        note={lead === null ? "no goal has ended yet" : `p90 ${duration(quantile(leads, 0.9) ?? 0)}`}
      />
      <Figure name="Waiting for people" value={percent(waited(found))} note="of lead time" />
      <Figure
        name="Gates passed first time"
        value={percent(firstPass(found))}
        note={gates.join(", ") || "no gate has judged yet"}
      />
    </>
  );
}

function CostFigures({ found }: { found: Analytics }) {
  const done = finished(found);
  const error = estimateError(found);
  const tried = done.filter((goal) => goal.rounds);
  const worst = tried.toSorted((a, b) => b.rounds - a.rounds)[0];
  const rounds = median(tried.map((goal) => goal.rounds));
  const unpriced = sum(found.goals, (goal) => goal.unpriced_calls);
  const spent = dollars(sum(found.goals, (goal) => goal.cost_usd));
  const late = done.filter((goal) => goal.estimated_s > 0 && (goal.lead_s ?? 0) > goal.estimated_s).length;
  return (
    <>
      <Figure
        name="Rounds until green"
        value={rounds === null ? "–" : whole(rounds)}
        note={worst ? `worst ${worst.rounds}, ${worst.goal}` : "no tests gate yet"}
      />
      <Figure
        name="Cost per finished goal"
        value={unpriced ? "unknown" : dollars(done.length ? sum(done, (goal) => goal.cost_usd) / done.length : 0)}
        note={unpriced ? `${some(unpriced, "call")} without price` : `${spent} in all`}
      />
      <Figure
        name="Time against the plan"
        value={error === null ? "–" : `× ${whole(error)}`}
        note={error === null ? "no planned goal is completed" : `late in ${late} of ${done.length}`}
      />
    </>
  );
}

function DayCharts({ found }: { found: Analytics }) {
  const all = useMemo(() => chartsOf(byDay(found)), [found]);
  return all.map((chart) => (
    <section key={chart.name}>
      <h2>
        {chart.name} <span className="ink-3 plain">{chart.note}</span>
      </h2>
      <TimeChart kind={chart.kind} days={chart.days} series={chart.series} format={chart.format} />
    </section>
  ));
}

interface DayChart {
  name: string;
  note: string;
  kind: "bars" | "lines";
  days: readonly number[];
  series: readonly Series[];
  format: (value: number) => string;
}

function chartsOf(by: Days): DayChart[] {
  const bars = { kind: "bars" as const, days: by.days };
  return [
    {
      name: "Lead time",
      note: "from submission until ready, by day",
      kind: "lines",
      days: by.days,
      format: duration,
      series: [
        { label: "median", values: by.leadMedian, tone: "run" },
        { label: "p90", values: by.leadP90, tone: "ink" },
      ],
    },
    {
      ...bars,
      name: "Working against waiting for people",
      note: "all goals, by day",
      format: duration,
      series: [
        { label: "agents work", values: by.working, tone: "run" },
        { label: "waits for you", values: by.waiting, tone: "ask" },
      ],
    },
    {
      ...bars,
      name: "Completed",
      note: "goals a day",
      format: whole,
      series: [{ label: "completed goals", values: by.completed, tone: "ok" }],
    },
    {
      ...bars,
      name: "Tokens",
      note: "by day of submission",
      format: tokens,
      series: [
        { label: "input", values: by.input, tone: "run" },
        { label: "output", values: by.output, tone: "ink" },
      ],
    },
  ];
}

function Charts({ found }: { found: Analytics }) {
  const costly = found.goals
    .toSorted((a, b) => b.cost_usd - a.cost_usd || b.input_tokens - a.input_tokens)
    .slice(0, SHOWN);
  return (
    <div className="charts">
      <DayCharts found={found} />
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
              words: `${some(model.calls, "call")}, ${brief(model.latency_s * 1_000)} each${model.latency_p95_s === null ? "" : `, 95 of 100 within ${brief(model.latency_p95_s * 1_000)}`}, ${tokens(input)} in, ${input ? Math.round((100 * model.cache_read_tokens) / input) : 0}% cached, ${tokens(model.output_tokens)} out, ${model.unpriced_calls ? "price unknown" : dollars(model.cost_usd)}`,
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
                <th>Work</th>
                <th>Waiting</th>
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
                  <td>{duration(goal.working_s)}</td>
                  <td>{duration(goal.waiting_s)}</td>
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
              <section className="figure-boxes" aria-label="In figures">
                <LeadFigures found={found.data} />
                <CostFigures found={found.data} />
              </section>
              <Charts found={found.data} />
            </>
          ) : (
            <p className="empty-line">No goal was submitted in this time.</p>
          ))}
        <HubHistory />
      </main>
    </>
  );
}
