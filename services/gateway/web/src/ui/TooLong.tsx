import { count, some } from "../format/numbers";

/** How many characters the hub takes, as its API says; nothing longer is cut, it is said and not sent. */
export const MOST = { text: 16_000, reason: 2_000, title: 300, model: 200 } as const;

/** How many characters are too many, as the hub counts them. */
function over(text: string, most: number): number {
  // What is short enough in UTF-16 is so in any case.
  return text.length <= most ? 0 : Math.max(0, [...text].length - most);
}

export const tooLong = (text: string, most: number): boolean => over(text, most) > 0;

/** Says of a text that it is too long to be sent, and by how much. */
export function TooLong({ text, most }: { text: string; most: number }) {
  const more = over(text, most);
  if (!more) return null;
  return (
    <p className="error" role="alert">
      {some(more, "character")} too many: at most {count(most)} can be sent. Nothing is cut.
    </p>
  );
}
