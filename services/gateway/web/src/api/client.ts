import type { Problem } from "./types";
import { inWords } from "./wording";

export const API = "/api/v1";
const POSITION = "Agenthub-Position";
const PATIENCE_MS = 15_000;
// What is sent arrives although its page is closed; browsers keep 64 KiB for that, in bytes of UTF-8.
const KEPT_ALIVE_MAX = 16_000;

/** What the gateway refused or could not do, as its problem document says it; `status` 0: it did not answer. */
export class Refused extends Error {
  constructor(
    readonly problem: Problem,
    readonly path: string,
  ) {
    const places = problem.errors.map((error) => `${error.key}: ${inWords(error.message)}`);
    super([problem.detail || problem.title, ...places].join(" · "));
  }

  get status(): number {
    return this.problem.status;
  }

  get kind(): string {
    return this.problem.type.replace("/problems/", "");
  }
}

type Listener = () => void;
const keyWanted = new Set<Listener>();

/** Be told when the hub asks for a key, or for another one. Returns how to stop listening. */
export function onKeyWanted(listener: Listener): () => void {
  keyWanted.add(listener);
  return () => keyWanted.delete(listener);
}

let newestRead = 0;

/** The newest place in the log that any answer has held so far. */
export function positionRead(): number {
  return newestRead;
}

/** A request to the hub. Throws `Refused`; an aborted one throws the abort. */
export async function ask(path: string, options: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused(problemOf(0, "The gateway did not answer", ""), path);
  }
  newestRead = Math.max(newestRead, Number(response.headers.get(POSITION) ?? 0));
  if (response.ok) return response;
  if (response.status === 401) for (const listener of keyWanted) listener();
  throw new Refused(await problemIn(response), path);
}

/** A read. `after`: not older than this event, as long as the read models get there in time. */
export async function read<T>(path: string, signal?: AbortSignal, after = 0): Promise<T> {
  const wait = AbortSignal.timeout(PATIENCE_MS);
  const both = signal ? AbortSignal.any([signal, wait]) : wait;
  try {
    return (await (await ask(API + withAfter(path, after), { signal: both })).json()) as T;
  } catch (error) {
    if (after && error instanceof Refused && error.kind === "projection-behind") return read<T>(path, signal);
    if (wait.aborted && !signal?.aborted) {
      throw new Refused(problemOf(0, "The gateway did not answer within 15 s", ""), path);
    }
    throw error;
  }
}

/** A command; sent again with the same `key` it is the same command. */
export async function tell<T>(path: string, body: object, key: string): Promise<T> {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const words = JSON.stringify(body);
  return (await (
    await ask(API + path, {
      method: "POST",
      headers,
      body: words,
      signal,
      keepalive: words.length < KEPT_ALIVE_MAX,
    })
  ).json()) as T;
}

/** What makes a command the same one when it is sent again; also where a page is not served over TLS. */
export function once(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

/** Save what an address answers as a file; a link could not say why there is none. */
export async function save(path: string, name: string): Promise<void> {
  const href = URL.createObjectURL(await (await ask(path)).blob());
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
  URL.revokeObjectURL(href);
}

function withAfter(path: string, after: number): string {
  if (!after) return path;
  return `${path}${path.includes("?") ? "&" : "?"}after=${after}`;
}

async function problemIn(response: Response): Promise<Problem> {
  const found = (await response.json().catch(() => null)) as Partial<Problem> | null;
  const plain = problemOf(response.status, response.statusText || `HTTP ${response.status}`, "");
  return found && typeof found === "object" ? { ...plain, ...found } : plain;
}

function problemOf(status: number, title: string, detail: string): Problem {
  return { type: "about:blank", title, status, detail, errors: [], revision: null, tasks: null };
}
