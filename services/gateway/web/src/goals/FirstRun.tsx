import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { model } from "../api/queries";
import type { Submit } from "../api/types";
import { Key } from "../keyboard/Key";
import { useCommand } from "../ui/commands/useCommand";
import { Icon } from "../ui/icons";

type Example = Pick<Submit, "goal" | "requirements"> & { shows: string };

// The goals that the rehearsal model can play; a real model takes them as well.
const EXAMPLES: Example[] = [
  {
    goal: "Build authentication system with JWT",
    requirements: [
      "JWT tokens",
      "Refresh token rotation",
      "Password hashing",
      "Unit tests >80% coverage",
      "Security audit",
      "API documentation",
    ],
    shows: "12 tasks; the tests fail once on purpose, so that you see a repair",
  },
  {
    goal: "Build a price calculator with VAT",
    requirements: ["Unit tests", "Documentation"],
    shows: "An agent is blocked and asks you a question",
  },
];

const FIGURE =
  "M2 12h46v22H2zM68 2h46v22H68zM68 28h46v22H68zM136 15l8-11h34l8 11-8 11h-34zM48 23c10 0 10-10 20-10M48 23c10 0 10 16 20 16M114 13c12 0 10 2 22 2M114 39c12 0 10-24 22-24";

export function FirstRun() {
  const navigate = useNavigate();
  const command = useCommand("The goal");
  const told = useQuery(model()).data;
  const [words, setWords] = useState("");
  const run = ({ goal, requirements }: Example) =>
    void command.send("/goals", { goal, requirements }, { title: `Goal “${goal}” is accepted` });
  return (
    <main id="main" className="empty" tabIndex={-1}>
      <svg className="figure" viewBox="0 0 188 52" preserveAspectRatio="xMinYMid meet" aria-hidden="true">
        <path d={FIGURE} />
      </svg>
      <h1 className="question">No goals yet</h1>
      <p className="ink-2">
        Say what you want in one sentence. agenthub plans the tasks, works until the tests, the audit and the
        review pass, and asks you only when it is stuck.
      </p>
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          void navigate({ to: "/new", search: { goal: words || undefined } });
        }}
      >
        <input
          aria-label="What should be built?"
          placeholder="What should be built?"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        <button type="submit" className="button primary tall">
          New goal <Key name="C" />
        </button>
      </form>
      <h2 className="example-head">Or start with an example</h2>
      <ul className="panel-box examples">
        {EXAMPLES.map((example) => (
          <li key={example.goal}>
            <div className="grow">
              <p className="name">{example.goal}</p>
              <p className="small ink-3">{example.shows}</p>
            </div>
            <button
              type="button"
              className="button light"
              disabled={command.busy}
              aria-label={`Run: ${example.goal}`}
              onClick={() => run(example)}
            >
              <Icon name="play" />
              Run
            </button>
          </li>
        ))}
      </ul>
      {told?.provider === "rehearsal" && (
        <p className="ink-3 small">
          No model key is set, so agents play a scripted rehearsal; files, tools and tests are real. Set
          ANTHROPIC_API_KEY for a real model.
        </p>
      )}
    </main>
  );
}
