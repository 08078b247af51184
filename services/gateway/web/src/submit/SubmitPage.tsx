import { useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { once, Refused, tell } from "../api/client";
import type { Problem, Submitted } from "../api/types";
import { inWords } from "../api/wording";
import { useStored } from "../kept/useStored";
import { Key } from "../keyboard/Key";
import { MOD, useKeys } from "../keyboard/keys";
import { feed } from "../live/feed";
import { TopBar } from "../shell/TopBar";
import { useHere } from "../ui/commands/useHere";
import { notices } from "../ui/notices";
import { bodyOf, type Draft, EMPTY } from "./draft";
import { repositoryHint, setupHint, testHint } from "./Found";
import { RequirementList } from "./RequirementList";
import { SubmitAside } from "./SubmitAside";
import { isAt, messageAt, useCheck } from "./useCheck";

const route = getRouteApi("/new");
const KEPT = "agenthub-draft";
const FIELDS = [
  ...["goal", "requirements", "repository", "test_command", "setup", "constraints.network"],
  ...["constraints.max_time", "constraints.max_cost_usd", "constraints.max_llm_calls"],
];

/** What is said of places that have no field here. */
const elsewhere = (errors: Problem["errors"]): string[] =>
  errors
    .filter(({ key }) => !FIELDS.some((field) => isAt(key, field)))
    .map(({ key, message }) => `${key}: ${inWords(message)}`);

function understood({ understood: found }: Submitted): string {
  return `Understood: ${found.gates.join(", ")} judge it${found.min_coverage === null ? "" : `, coverage at least ${found.min_coverage} %`}.`;
}

/** What a control of the form says of itself to who cannot see it. */
interface Control {
  id: string;
  "aria-invalid": boolean;
  "aria-describedby": string;
}

function Field({
  name,
  label,
  hint,
  error,
  children,
}: {
  name: string;
  label: string;
  hint?: string;
  error?: string | undefined;
  children: (control: Control) => ReactNode;
}) {
  const id = `${useId()}-${name}`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-invalid": Boolean(error), "aria-describedby": `${id}-said` })}
      <div id={`${id}-said`}>
        {error ? (
          <p className="error" role="alert">
            {error}
          </p>
        ) : (
          hint && <p className="hint">{hint}</p>
        )}
      </div>
    </div>
  );
}

function Choice({ draft, put }: { draft: Draft; put: (part: Partial<Draft>) => void }) {
  const ways = [
    ["full", "Always, ask only when blocked", "The usual choice for a night."],
    ["approve_plan", "After I approve the plan", "You see the tasks first, and may edit them."],
  ] as const;
  return (
    <fieldset className="field">
      <legend className="label">When may agents go on by themselves?</legend>
      <div className="choice">
        {ways.map(([value, name, note]) => (
          <label key={value} className="row">
            <input
              type="radio"
              name="autonomy"
              checked={draft.autonomy === value}
              onChange={() => put({ autonomy: value })}
            />
            <span>
              <span className="name">{name}</span>
              <br />
              <span className="ink-3">{note}</span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** The form of a new goal; what is typed survives a reload until it is sent. */
export function SubmitPage() {
  const { goal: given } = route.useSearch();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [kept, keep] = useStored<Draft>(KEPT, EMPTY);
  const draft: Draft = { ...EMPTY, ...kept, goal: kept.goal || (given ?? "") };
  const here = useHere();
  const latest = useRef(draft);
  useEffect(() => {
    latest.current = draft;
  });
  const [refused, setRefused] = useState<Refused | null>(null);
  const [busy, setBusy] = useState(false);
  const intent = useRef({ words: "", key: "" });
  const first = useRef<HTMLTextAreaElement>(null);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => first.current?.focus(), []);
  useEffect(() => {
    if (refused) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [refused]);
  const put = (part: Partial<Draft>) => {
    setRefused(null);
    keep({ ...draft, ...part });
  };
  const check = useCheck(draft);
  const wrong = (key: string) => check.wrong(key) ?? messageAt(refused?.problem.errors ?? [], key);
  async function submit() {
    if (!draft.goal.trim() || busy) return;
    const body = bodyOf(draft);
    const words = JSON.stringify(body);
    if (intent.current.words !== words) intent.current = { words, key: once() };
    setBusy(true);
    try {
      const answer = await tell<Submitted>("/goals", body, intent.current.key);
      // What was typed while this was sent is the next goal.
      const isSent = latest.current === draft || JSON.stringify(latest.current) === JSON.stringify(draft);
      if (isSent) keep(EMPTY);
      feed.reached(answer.sequence);
      notices.add({ title: "Submitted", text: understood(answer), tone: "ok" });
      void queries.invalidateQueries();
      if (isSent && here()) await navigate({ to: "/goals/$goalId", params: { goalId: answer.goal_id } });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setRefused(error);
    } finally {
      setBusy(false);
    }
  }
  useKeys({ "mod+enter": () => void submit() });
  const general = refused && elsewhere(refused.problem.errors).join("\n");
  const silent = refused && !refused.problem.errors.length ? refused.message : "";
  return (
    <>
      <TopBar path={[{ name: "Goals", to: "/" }, { name: "New goal" }]} />
      <main id="main" className="submit two-panes" tabIndex={-1}>
        <form
          ref={form}
          className="submit-form"
          // The hub names every field that does not fit, a browser only the first.
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          <h1 className="unseen">New goal</h1>
          <div className="scrolls submit-fields">
            <div className="submit-column">
              <Field name="goal" label="Goal" error={wrong("goal")}>
                {(control) => (
                  <textarea
                    {...control}
                    ref={first}
                    className="goal-words"
                    rows={2}
                    required
                    value={draft.goal}
                    placeholder="What should be built?"
                    onChange={(event) => put({ goal: event.target.value })}
                  />
                )}
              </Field>
              <div className="field">
                <p className="label">
                  Requirements <span className="ink-3 plain">each one is linked to evidence in the end</span>
                </p>
                <RequirementList items={draft.requirements} change={(requirements) => put({ requirements })} />
                {wrong("requirements") && (
                  <p className="error" role="alert">
                    {wrong("requirements")}
                  </p>
                )}
              </div>
              <div className="field-row two">
                <Field
                  name="repository"
                  label="Repository"
                  error={wrong("repository")}
                  hint={repositoryHint(check, draft.repository)}
                >
                  {(control) => (
                    <input
                      {...control}
                      value={draft.repository}
                      onChange={(event) => put({ repository: event.target.value })}
                    />
                  )}
                </Field>
                <Field
                  name="test"
                  label="Test command"
                  error={wrong("test_command")}
                  hint={testHint(check, draft.test_command)}
                >
                  {(control) => (
                    <input
                      {...control}
                      className="code"
                      value={draft.test_command}
                      onChange={(event) => put({ test_command: event.target.value })}
                    />
                  )}
                </Field>
              </div>
              <Field name="setup" label="Setup" error={wrong("setup")} hint={setupHint(check, draft.setup)}>
                {(control) => (
                  <textarea
                    {...control}
                    className="code"
                    rows={2}
                    value={draft.setup}
                    placeholder="npm ci"
                    onChange={(event) => put({ setup: event.target.value })}
                  />
                )}
              </Field>
              <Field
                name="network"
                label="Network"
                error={wrong("constraints.network")}
                hint="Hosts that agents and tests may reach, by name or name:port; empty: none but package sources"
              >
                {(control) => (
                  <input
                    {...control}
                    className="code"
                    value={draft.network}
                    placeholder="api.example.com db.example.com:8443"
                    onChange={(event) => put({ network: event.target.value })}
                  />
                )}
              </Field>
              <div className="field-row four">
                <Field name="time" label="Time" error={wrong("constraints.max_time")} hint="empty: 7 days">
                  {(control) => (
                    <input
                      {...control}
                      value={draft.max_time}
                      onChange={(event) => put({ max_time: event.target.value })}
                    />
                  )}
                </Field>
                <Field name="budget" label="Budget" error={wrong("constraints.max_cost_usd")} hint="empty: $50">
                  {(control) => (
                    <input
                      {...control}
                      inputMode="decimal"
                      value={draft.max_cost}
                      placeholder="$"
                      onChange={(event) => put({ max_cost: event.target.value })}
                    />
                  )}
                </Field>
                <Field
                  name="calls"
                  label="Model calls"
                  error={wrong("constraints.max_llm_calls")}
                  hint="empty: 500"
                >
                  {(control) => (
                    <input
                      {...control}
                      inputMode="numeric"
                      value={draft.max_calls}
                      onChange={(event) => put({ max_calls: event.target.value })}
                    />
                  )}
                </Field>
                <Field name="priority" label="Priority">
                  {(control) => (
                    <select
                      {...control}
                      value={draft.priority}
                      onChange={(event) => put({ priority: event.target.value as Draft["priority"] })}
                    >
                      <option value="low">Low</option>
                      <option value="normal">Normal</option>
                      <option value="high">High</option>
                      <option value="urgent">Urgent</option>
                    </select>
                  )}
                </Field>
              </div>
              <Choice draft={draft} put={put} />
              <div className="row wrap checks">
                <label className="row">
                  <input
                    type="checkbox"
                    checked={draft.must_pass_tests}
                    onChange={(event) => put({ must_pass_tests: event.target.checked })}
                  />
                  Tests must pass
                </label>
                <label className="row">
                  <input
                    type="checkbox"
                    checked={draft.require_security_audit}
                    onChange={(event) => put({ require_security_audit: event.target.checked })}
                  />
                  Security audit required
                </label>
              </div>
              {(silent || general) && (
                <p className="error" role="alert">
                  {silent || general}
                </p>
              )}
            </div>
          </div>
          <div className="foot">
            <button type="submit" className="button primary" disabled={busy || !draft.goal.trim()}>
              Submit goal <Key name={`${MOD}↵`} />
            </button>
            <span className="ink-3 small">What you type is kept in this browser until you submit it.</span>
          </div>
        </form>
        <SubmitAside draft={draft} found={check.found} />
      </main>
    </>
  );
}
