import { Link } from "@tanstack/react-router";
import { Icon } from "../ui/icons";
import { areas, type Needs } from "./SideBar";

const SHORT = new Set(["/", "/inbox", "/review", "/fleet", "/dead-letters"]);

/** The side bar of a phone. */
export function Tabs({ needs }: { needs: Needs }) {
  return (
    <nav className="tabs" aria-label="Areas">
      {areas(needs, 0)
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
            <span>{item.name.replace("Dead letters", "Letters")}</span>
          </Link>
        ))}
    </nav>
  );
}
