import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { once, Refused, tell } from "../api/client";
import type { Accepted } from "../api/types";
import { feed } from "../live/feed";
import { notices } from "./notices";

const READ_WITHIN_MS = 1_500;

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
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Refused | null>(null);
  const intent = useRef({ words: "", key: "" });

  async function send(path: string, body: object, done?: Done): Promise<boolean> {
    const words = path + JSON.stringify(body);
    if (intent.current.words !== words) intent.current = { words, key: once() };
    setBusy(true);
    try {
      const answer = await tell<Accepted>(path, body, intent.current.key);
      intent.current = { words: "", key: "" };
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
      setBusy(false);
    }
  }
  return { busy, error, send };
}

function tellRefusal(what: string, refused: Refused, again: () => void): void {
  const lost = refused.status === 0;
  const words = "The gateway did not answer. Try again when connected; the same command is not done twice.";
  notices.add({
    title: `${what} was ${lost ? "not sent" : "refused"}`,
    text: lost ? words : refused.message,
    tone: "bad",
    failure: true,
    retry: lost ? again : null,
  });
}
