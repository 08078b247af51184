/** A key beside what it does; for eyes alone, `aria-keyshortcuts` says it to others. */
export function Key({ name }: { name: string }) {
  return (
    <span className="kbd" aria-hidden="true">
      {name}
    </span>
  );
}
