import { Link } from "@tanstack/react-router";
import { TopBar } from "./TopBar";

export function NotFound() {
  return (
    <>
      <TopBar path={[{ name: "Not found" }]} />
      <main id="main" className="empty" tabIndex={-1}>
        <h1 className="question">There is no such page</h1>
        <p className="ink-2">The address names nothing of this hub.</p>
        <div>
          <Link to="/" className="button primary">
            Goals
          </Link>
        </div>
      </main>
    </>
  );
}
