import { API, ask, Refused } from "../api/client";
import { hubNow, noteDate } from "../format/hubTime";
import { type Frame, MessageParser } from "./events";

const SILENCE_MS = 20_000;
const PAUSES_S = [1, 2, 4, 8, 15];

/** How the page stands to the log. `since`: when the state shown was last known to be whole (ms since 1970). */
export interface FeedState {
  status: "connecting" | "live" | "stale";
  position: number;
  since: number;
  nextTry: number;
  caughtUp: number;
  refused: boolean;
}

type Take = (frame: Frame) => void;

/** The one connection of this page to the log; resumed at the last event that it has seen. */
export class Feed {
  private state: FeedState = {
    status: "connecting",
    position: 0,
    since: hubNow(),
    nextTry: 0,
    caughtUp: 0,
    refused: false,
  };
  private readonly watchers = new Set<() => void>();
  private readonly takers = new Set<Take>();
  private readonly openers = new Set<() => void>();
  private lastId = "";
  private failures = 0;
  private connection: AbortController | null = null;
  private wake: (() => void) | null = null;
  private running = false;

  readonly snapshot = (): FeedState => this.state;

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  /** Every frame as it comes. */
  onFrame(take: Take): () => void {
    this.takers.add(take);
    return () => this.takers.delete(take);
  }

  /** Whenever the place in the log is a new one, so that what was read before may be old. */
  onReset(take: () => void): () => void {
    this.openers.add(take);
    return () => this.openers.delete(take);
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    window.addEventListener("online", this.retry);
    void this.run();
  }

  /** A command is in the log at `position`: what is read from now on has to hold it. */
  reached(position: number): void {
    if (position > this.state.position) this.change({ position });
  }

  /** Try at once instead of after the pause. */
  readonly retry = (): void => {
    this.wake?.();
  };

  private async run(): Promise<void> {
    for (;;) {
      try {
        await this.connect();
      } catch (error) {
        if (error instanceof Refused && error.status === 401) {
          this.running = false;
          return this.change({ status: "stale", refused: true });
        }
      }
      this.connection?.abort();
      const pause = (PAUSES_S[Math.min(this.failures, PAUSES_S.length - 1)] ?? 1) * 1000;
      this.failures += 1;
      this.change({ status: "stale", nextTry: hubNow() + pause, caughtUp: 0 });
      await this.sleep(pause);
    }
  }

  private sleep(pause: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private async connect(): Promise<void> {
    const connection = new AbortController();
    this.connection = connection;
    const headers: Record<string, string> = this.lastId ? { "Last-Event-ID": this.lastId } : {};
    let watchdog = setTimeout(() => connection.abort(), SILENCE_MS);
    try {
      const asked = Date.now();
      const response = await ask(`${API}/stream`, { headers, signal: connection.signal });
      noteDate(response.headers.get("Date"), asked);
      this.opened(Number(response.headers.get("Agenthub-Position") ?? 0));
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new MessageParser();
      for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => connection.abort(), SILENCE_MS);
        this.take(parser.take(part.value));
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  private opened(position: number): void {
    const first = !this.lastId;
    this.failures = 0;
    this.change({
      status: "live",
      since: hubNow(),
      position: Math.max(this.state.position, position),
      caughtUp: 0,
      refused: false,
    });
    if (first) for (const open of this.openers) open();
  }

  private take(messages: { id: string; data: string }[]): void {
    let position = this.state.position;
    let taken = 0;
    for (const message of messages) {
      if (message.id) this.lastId = message.id;
      if (!message.data) continue;
      const frame = JSON.parse(message.data) as Frame;
      if (frame.type === "reset") {
        position = Number(frame.sequence ?? 0);
        // What is read because of it has to be as new as that.
        this.change({ position });
        for (const open of this.openers) open();
        continue;
      }
      position = Math.max(position, frame.sequence ?? 0);
      taken += 1;
      for (const take of this.takers) take(frame);
    }
    this.change({ since: hubNow(), position, caughtUp: this.state.caughtUp + taken });
  }

  private change(part: Partial<FeedState>): void {
    this.state = { ...this.state, ...part };
    for (const watcher of this.watchers) watcher();
  }
}

export const feed = new Feed();
