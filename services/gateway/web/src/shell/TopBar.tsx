import { Link } from "@tanstack/react-router";
import { Fragment, type ReactNode } from "react";
import { Key } from "../keyboard/Key";
import { MOD } from "../keyboard/keys";
import { Icon } from "../ui/icons";
import { NotificationCentre } from "./NotificationCentre";
import { useFeed } from "./useFeed";

interface Crumb {
  name: string;
  to?: string;
}

interface Props {
  path: Crumb[];
  aside?: ReactNode;
  action?: ReactNode;
}

/** Path, jump field, notifications. The last part of the path is the page; `aside` stands beside it, `action` last. */
export function TopBar({ path, aside, action }: Props) {
  const { status } = useFeed();
  const openPalette = () => window.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true }));
  return (
    <div className="top">
      <nav aria-label="Path" className="crumbs">
        {path.map((crumb, index) => (
          <Fragment key={`${String(index)} ${crumb.name}`}>
            {index > 0 && (
              <span className="ink-3" aria-hidden="true">
                /
              </span>
            )}
            {crumb.to ? (
              <Link to={crumb.to} className="ink-2 one-line">
                {crumb.name}
              </Link>
            ) : (
              <b className="one-line">{crumb.name}</b>
            )}
          </Fragment>
        ))}
        {aside}
      </nav>
      <span className="grow" />
      <span className={`only-phone live-word ${status}`} role="status">
        <i className="dot" aria-hidden="true" />
        {status === "stale" ? "Stale" : status === "live" ? "Live" : "Connecting"}
      </span>
      <button type="button" className="jump" onClick={openPalette} aria-keyshortcuts="Control+K Meta+K">
        <Icon name="search" />
        <span className="grow">Search or jump to</span>
        <Key name={`${MOD}K`} />
      </button>
      <NotificationCentre />
      {action && (
        <nav className="only-phone" aria-label="Begin">
          {action}
        </nav>
      )}
    </div>
  );
}
