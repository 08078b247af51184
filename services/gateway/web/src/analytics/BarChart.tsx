interface Row {
  name: string;
  parts: readonly { value: number; tone: "run" | "ask" | "ok" | "idle" }[];
  words: string;
}

/** Bars beside their names and numbers; the numbers are text, so the bars need no other form. */
export function BarChart({ rows, none }: { rows: readonly Row[]; none: string }) {
  const widest = Math.max(1e-9, ...rows.map((row) => row.parts.reduce((all, part) => all + part.value, 0)));
  if (!rows.length) return <p className="ink-2 padded">{none}</p>;
  return (
    <ul className="bar-chart">
      {rows.map((row, at) => (
        <li key={`${String(at)} ${row.name}`}>
          <span className="one-line" title={row.name} dir="auto">
            {row.name}
          </span>
          <span className="bar-track" aria-hidden="true">
            {row.parts.map((part) => (
              <i
                key={part.tone}
                className={`i-${part.tone}`}
                style={{ width: `${(100 * part.value) / widest}%` }}
              />
            ))}
          </span>
          <span className="figures ink-2">{row.words}</span>
        </li>
      ))}
    </ul>
  );
}
