import { Link } from "@tanstack/react-router";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Icon } from "../ui/icons";
import { type Notice, notices } from "../ui/notices";

const SHOWN_MS = 6_000;

function Toast({ notice }: { notice: Notice }) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held || notice.failure) return;
    const timer = setTimeout(() => notices.close(notice.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [held, notice.failure, notice.id]);
  const hold = {
    onMouseEnter: () => setHeld(true),
    onMouseLeave: () => setHeld(false),
    onFocus: () => setHeld(true),
    onBlur: () => setHeld(false),
  };
  return (
    <div className={`toast tone-${notice.tone}`} role={notice.failure ? "alert" : "status"} {...hold}>
      <i className="toast-mark" aria-hidden="true" />
      <div className="grow break">
        <b>{notice.title}</b>
        {notice.text && <p className="ink-2">{notice.text}</p>}
      </div>
      {notice.retry && (
        <button
          type="button"
          className="button small"
          onClick={() => {
            notices.close(notice.id);
            notice.retry?.();
          }}
        >
          Retry
        </button>
      )}
      {notice.to && (
        <Link className="button small" to={notice.to} onClick={() => notices.close(notice.id)}>
          {notice.action || "Open"}
        </Link>
      )}
      <button
        type="button"
        className="button icon-only small"
        aria-label="Close"
        onClick={() => notices.close(notice.id)}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}

/** One at a time; the newest that still stands. */
export function Toasts() {
  const all = useSyncExternalStore(notices.watch, notices.snapshot);
  const next = all.findLast((notice) => notice.toast);
  return <div className="toasts">{next && <Toast key={next.id} notice={next} />}</div>;
}
