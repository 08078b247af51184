import { API, ask, once, Refused, tell } from "./client";
import type { Schemas } from "./types";

export type Session = Schemas["SessionView"];

const PATIENCE_MS = 5_000;
const BY_LINK = "/sign-in";

/** Who this browser is to the hub, as it was when the page was loaded; the session is a cookie no script can read. */
let session: Session | null = null;
let refusal = "";

export const whoAsks = (): Session | null => session;

/** Why a one-time link did not sign this browser in; empty when none was tried. */
export const linkRefusal = (): string => refusal;

/** Use up the one-time link that the page was opened by, if there is one, and ask the hub who this browser is. */
export async function enter(): Promise<Session | null> {
  if (location.pathname === BY_LINK) {
    const link = location.hash.slice(1);
    // The link is its own key: it shall not stay in the address or in the history.
    history.replaceState(null, "", "/");
    if (link) refusal = await refusalOf(signIn({ link }));
  }
  try {
    const answer = await ask(`${API}/session`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    session = (await answer.json()) as Session;
  } catch {
    session = null;
  }
  return session;
}

/** Sign in by a key or by the token of a one-time link. Throws `Refused`. */
export async function signIn(by: { key: string } | { link: string }): Promise<void> {
  await tell("/session", by, once());
}

/** What was said against signing in; empty when it went well. */
export async function refusalOf(trying: Promise<void>): Promise<string> {
  try {
    await trying;
    return "";
  } catch (error) {
    if (error instanceof Refused) return error.problem.title + (error.message ? `: ${error.message}` : "");
    return "The gateway did not answer";
  }
}

/** Sign out, and begin anew with the form for a key. */
export async function signOut(): Promise<void> {
  await tell("/session/end", {}, once());
  location.assign("/");
}
