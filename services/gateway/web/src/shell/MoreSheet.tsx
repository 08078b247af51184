import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { Icon } from "../ui/icons";
import { Appearance } from "./Appearance";
import { type Item, LogChip, SignedIn } from "./SideBar";

/** On a phone, everything of the side bar that has no place among the tabs. */
export function MoreSheet({ items, close }: { items: readonly Item[]; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="sheet" onClose={close} aria-labelledby="more-title">
      <div className="row">
        <h2 id="more-title" className="grow">
          More
        </h2>
        <button type="button" className="button icon-only" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </div>
      <nav aria-label="More areas" className="areas">
        {items.map((item) => (
          <Link
            key={item.to}
            to={item.to}
            activeOptions={{ exact: item.to === "/", includeSearch: false }}
            onClick={close}
            aria-label={item.badge ? `${item.name}, ${item.badge}` : item.name}
          >
            <Icon name={item.icon} />
            <span className="grow">{item.name}</span>
            {item.badge > 0 && <i className={`badge ${item.tone}`} aria-hidden="true" data-count={item.badge} />}
          </Link>
        ))}
      </nav>
      <Appearance wide />
      <SignedIn wide />
      <LogChip wide />
    </dialog>
  );
}
