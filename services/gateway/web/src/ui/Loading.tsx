import { useEffect, useState } from "react";

const SILENT_MS = 150;

/** Nothing for the first moment, then still outlines of rows. */
export function Loading({ what, rows = 6 }: { what: string; rows?: number }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), SILENT_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!shown) return <div data-loading hidden />;
  return (
    <div className="outlines" role="status" data-loading>
      <span className="unseen">Reading {what}</span>
      {Array.from({ length: rows }, (_, row) => (
        <i key={`row-${String(row)}`} />
      ))}
    </div>
  );
}
