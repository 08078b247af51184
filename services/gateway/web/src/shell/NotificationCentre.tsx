import { Link } from "@tanstack/react-router";
import { useRef, useState, useSyncExternalStore } from "react";
import { clockOf } from "../format/time";
import { Icon } from "../ui/icons";
import { notices } from "../ui/notices";

/** Everything that a toast has said, and whether the browser may say it beside the page. */
export function NotificationCentre() {
  const items = useSyncExternalStore(notices.watch, notices.snapshot);
  const fresh = useSyncExternalStore(notices.watch, notices.unseen);
  const panel = useRef<HTMLDivElement>(null);
  const [permission, setPermission] = useState(() =>
    "Notification" in window ? Notification.permission : "denied",
  );
  return (
    <>
      <button
        type="button"
        className="button icon-only bell"
        popoverTarget="notification-centre"
        aria-label={fresh ? `Notifications, ${fresh} new` : "Notifications"}
      >
        <Icon name="bell" />
        {fresh > 0 && <i className="badge-dot" aria-hidden="true" />}
      </button>
      <div
        ref={panel}
        id="notification-centre"
        className="floating centre"
        popover="auto"
        role="dialog"
        aria-label="Notifications of this page"
        onToggle={(event) => {
          if (event.newState === "closed") notices.markSeen();
        }}
      >
        <div className="pane-head">
          <h2 className="grow">Notifications</h2>
          {permission === "default" && (
            <button
              type="button"
              className="button small"
              onClick={() => void Notification.requestPermission().then(setPermission)}
            >
              Also outside this page
            </button>
          )}
        </div>
        {items.length === 0 && <p className="ink-2 padded">Nothing has happened since this page was opened.</p>}
        <ul>
          {items.toReversed().map((item) => (
            <li key={item.id} className={`tone-${item.tone}`}>
              <i className="toast-mark" aria-hidden="true" />
              <span className="grow break">
                {item.to ? (
                  <Link to={item.to} onClick={() => panel.current?.hidePopover()}>
                    <b>{item.title}</b>
                  </Link>
                ) : (
                  <b>{item.title}</b>
                )}
                {item.text && <span className="ink-2"> {item.text}</span>}
              </span>
              <span className="ink-3 figures">{clockOf(item.at, false)}</span>
            </li>
          ))}
        </ul>
      </div>
    </>
  );
}
