import { useQuery } from "@tanstack/react-query";
import { Link, useRouterState } from "@tanstack/react-router";
import { useState } from "react";
import { letters } from "../api/queries";
import { Icon } from "../ui/icons";
import { MoreSheet } from "./MoreSheet";
import { areas, type Needs } from "./SideBar";

const SHORT = new Set(["/", "/inbox", "/review", "/fleet"]);

/** The side bar of a phone. */
export function Tabs({ needs }: { needs: Needs }) {
  const [open, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const dead = useQuery(letters()).data?.length ?? 0;
  const items = areas(needs, dead);
  const more = [
    ...items.filter((item) => !SHORT.has(item.to)),
    { to: "/new", name: "New goal", icon: "plus" as const, badge: 0, tone: "" },
  ];
  const here = more.some((item) => path.startsWith(item.to));
  return (
    <nav className="tabs" aria-label="Areas">
      {items
        .filter((item) => SHORT.has(item.to))
        .map((item) => (
          <Link
            key={item.to}
            to={item.to}
            activeOptions={{ exact: item.to === "/", includeSearch: false }}
            aria-label={item.badge ? `${item.name}, ${item.badge}` : item.name}
          >
            <Icon name={item.icon} />
            {item.badge > 0 && <i className={`badge ${item.tone}`} aria-hidden="true" data-count={item.badge} />}
            <span>{item.name}</span>
          </Link>
        ))}
      <button
        type="button"
        className={here ? "here" : ""}
        aria-haspopup="dialog"
        aria-label={dead ? `More, ${dead}` : "More"}
        onClick={() => setOpen(true)}
      >
        <Icon name="menu" />
        {dead > 0 && <i className="badge idle" aria-hidden="true" data-count={dead} />}
        <span>More</span>
      </button>
      {open && <MoreSheet items={more} close={() => setOpen(false)} />}
    </nav>
  );
}
