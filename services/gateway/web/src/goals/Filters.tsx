import { Link, useNavigate } from "@tanstack/react-router";
import type { RefObject } from "react";
import type { Goal } from "../api/types";
import { useStored } from "../kept/useStored";
import { Key } from "../keyboard/Key";
import { Icon } from "../ui/icons";
import { VIEWS } from "./groups";

interface Props {
  goals: readonly Goal[];
  view: string;
  words: string;
  field: RefObject<HTMLInputElement | null>;
}

interface Saved {
  view: string;
  words: string;
}

/** Views and words, both in the address; a filter can be kept under its own words. */
export function Filters({ goals, view, words, field }: Props) {
  const navigate = useNavigate();
  const [saved, setSaved] = useStored<Saved[]>("agenthub-views", []);
  const known = saved.some((item) => item.view === view && item.words === words);
  return (
    <div className="filters">
      <nav className="segments" aria-label="Goals by state">
        {Object.entries(VIEWS).map(([key, { name, takes }]) => (
          <Link
            key={key}
            to="/"
            search={key === "all" ? { q: words || undefined } : { state: key, q: words || undefined }}
            className={key === view ? "on" : ""}
          >
            {name} <span className="ink-3 figures">{goals.filter(takes).length}</span>
          </Link>
        ))}
      </nav>
      <div className="find">
        <Icon name="search" />
        <input
          ref={field}
          type="search"
          value={words}
          placeholder="Filter goals"
          aria-label="Filter goals"
          aria-keyshortcuts="/"
          onChange={(event) =>
            void navigate({
              to: "/",
              search: { state: view === "all" ? undefined : view, q: event.target.value || undefined },
              replace: true,
            })
          }
        />
        <Key name="/" />
      </div>
      {saved.map((item) => (
        <span key={`${item.view} ${item.words}`} className="tag saved">
          <Link to="/" search={{ state: item.view === "all" ? undefined : item.view, q: item.words || undefined }}>
            {[item.view, item.words].filter((part) => part && part !== "all").join(": ")}
          </Link>
          <button
            type="button"
            aria-label={`Forget the view ${item.view} ${item.words}`}
            onClick={() => setSaved(saved.filter((other) => other !== item))}
          >
            ×
          </button>
        </span>
      ))}
      {(words || view !== "all") && !known && (
        <button type="button" className="button small light" onClick={() => setSaved([...saved, { view, words }])}>
          Keep this view
        </button>
      )}
      <span className="grow" />
      <span className="ink-3 small sorted">Sorted by what needs you</span>
    </div>
  );
}
