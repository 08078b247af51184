import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { once, Refused, tell } from "../../api/client";
import type { Accepted } from "../../api/types";
import { feed } from "../../live/feed";
import { notices } from "../notices";

const READ_WITHIN_MS = 1_500;
const UNSENT: Record<number, string> = {
  0: "The gateway did not answer. Try again when connected; the same command is not done twice.",
  401: "Your session had ended before. Nothing was done.",
};

interface Done {
  title: string;
  tone?: "ok" | "idle";
  /** What the page does with the answer, before anybody is told. */
  onAnswer?: (answer: Accepted) => void;
}

export interface Command {
  busy: boolean;
  error: Refused | null;
  /** Sends once; resolves to whether the hub has taken it. A repetition after a lost answer is the same command. */
  send: (path: string, body: object, done?: Done) => Promise<boolean>;
}

/** A command to the hub, with what came of it said in a toast. `what` names it: "Cancel". */
export function useCommand(what: string): Command {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(0);
  const [error, setError] = useState<Refused | null>(null);
  const keys = useRef(new Map<string, string>());
  const underWay = useRef(new Map<string, Promise<boolean>>());

  /** Whoever presses again while the same is under way wants it once. */
  function send(path: string, body: object, done?: Done): Promise<boolean> {
    const words = path + JSON.stringify(body);
    const found = underWay.current.get(words) ?? sendNow(words, path, body, done);
    underWay.current.set(words, found);
    void found.finally(() => underWay.current.delete(words)).catch(() => undefined);
    return found;
  }

  async function sendNow(words: string, path: string, body: object, done?: Done): Promise<boolean> {
    // Another command in between makes none of the others a new one.
    const key = keys.current.get(words) ?? once();
    keys.current.set(words, key);
    setBusy((sent) => sent + 1);
    try {
      const answer = await tell<Accepted>(path, body, key);
      keys.current.delete(words);
      setError(null);
      feed.reached(answer.sequence);
      // Everything is read anew; what takes longer to read does not hold the person up.
      await Promise.race([
        queries.invalidateQueries(),
        new Promise((resolve) => setTimeout(resolve, READ_WITHIN_MS)),
      ]);
      done?.onAnswer?.(answer);
      if (done) notices.add({ title: done.title, tone: done.tone ?? "ok" });
      return true;
    } catch (thrown) {
      if (!(thrown instanceof Refused)) throw thrown;
      setError(thrown);
      tellRefusal(what, thrown, () => void send(path, body, done));
      return false;
    } finally {
      setBusy((sent) => sent - 1);
    }
  }
  return { busy: busy > 0, error, send };
}

function tellRefusal(what: string, refused: Refused, again: () => void): void {
  const unsent = UNSENT[refused.status];
  notices.add({
    title: `${what} was ${unsent ? "not sent" : "refused"}`,
    text: unsent ?? refused.message,
    tone: "bad",
    failure: true,
    retry: unsent ? again : null,
  });
}
