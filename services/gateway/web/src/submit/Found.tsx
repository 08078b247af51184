import type { GoalCheck } from "../api/types";
import { count, some } from "../format/numbers";
import { Mark } from "../states/StateMark";
import type { Check } from "./useCheck";

/** Under the field of the repository: what stands there now. */
export function repositoryHint({ found, refused, current }: Check, path: string): string {
  if (!path.trim()) return "A folder on the hub's machine, or an address; empty: a new one";
  const seen = found?.repository;
  if (refused) return "It is looked at as soon as the rest fits";
  if (!current || !seen) return "Looking at it…";
  const ref = seen.ref.replace(/^refs\/(heads|tags)\//, "");
  const place = `${ref ? `${ref.includes("/") ? ref : `Branch ${ref}`} at` : "At"} ${seen.commit.slice(0, 7)}`;
  if (!seen.surveyed) return place;
  const tests = seen.test_files ? `tests in ${some(seen.test_files, "file")}` : "no tests yet";
  return `${place}, ${count(seen.files)} files, ${tests}`;
}

/** Under the field of the test command. */
export function testHint({ found, current }: Check, given: string): string {
  const seen = current ? found?.repository : null;
  if (given.trim() || !seen?.surveyed) return "Empty: what the repository shows";
  return seen.test_command ? `Found: ${seen.test_command}` : "Nothing in the repository says how they are run";
}

/** Under the field of the setup. */
export function setupHint({ found, current }: Check, given: string): string {
  const seen = current ? found?.repository : null;
  if (given.trim() || !seen?.surveyed)
    return "What installs the project's packages, one command a line; empty: what its files say";
  if (!seen.setup) return "What would be installed is not known";
  if (!seen.setup.length) return "Found: nothing has to be installed";
  return `Found: ${some(seen.setup.length, "command")} by ${seen.setup_source}`;
}

/** What the words are taken to demand, and what may be a surprise. */
export function Understood({ found }: { found: GoalCheck | null }) {
  if (!found?.understood)
    return (
      <p className="ink-2">As soon as there is a goal, the hub says here what it takes the words to demand.</p>
    );
  const { gates, min_coverage, must_pass_tests } = found.understood;
  return (
    <>
      <p className="row wrap">
        {gates.map((gate) => (
          <span key={gate} className="tag">
            <Mark shape="hexagon-dot" tone="idle" />
            {gate}
            {gate === "tests" && min_coverage !== null && ` · coverage ≥ ${min_coverage}%`}
            {gate === "tests" && !must_pass_tests && " · may fail"}
          </span>
        ))}
      </p>
      {found.repository && found.repository.checks.length > 0 && (
        <p className="ink-2">Further checks: {found.repository.checks.join(", ")}</p>
      )}
      {found.warnings.length > 0 && (
        <ul className="stack waits">
          {found.warnings.map((words, at) => (
            <li key={`${String(at)} ${words}`} className="row">
              <Mark shape="diamond" tone="ask" />
              <span className="break">{words}</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
