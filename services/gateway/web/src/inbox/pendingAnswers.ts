import { useSyncExternalStore } from "react";
import type { Answer } from "../api/types";

const UNDO_MS = 5_000;

/** An answer that was given; until it is on its way it can be taken back. */
export interface PendingAnswer {
  answer: Answer;
  words: string;
  onItsWay: boolean;
}

interface Waiting {
  shown: PendingAnswer;
  timer: ReturnType<typeof setTimeout>;
  send: () => Promise<unknown>;
}

/** Answers by question, until they are sent: also when their page is left meanwhile, and at once when the tab closes. */
class PendingAnswers {
  private readonly waiting = new Map<string, Waiting>();
  private readonly watchers = new Set<() => void>();

  private readonly sendAll = (): void => {
    for (const question of [...this.waiting.keys()]) void this.sendNow(question);
  };

  constructor() {
    window.addEventListener("pagehide", this.sendAll);
  }

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  of(question: string): PendingAnswer | undefined {
    return this.waiting.get(question)?.shown;
  }

  give(question: string, answer: Answer, words: string, send: () => Promise<unknown>): void {
    if (this.waiting.has(question)) return;
    const timer = setTimeout(() => void this.sendNow(question), UNDO_MS);
    this.waiting.set(question, { shown: { answer, words, onItsWay: false }, timer, send });
    this.changed();
  }

  takeBack(question: string): void {
    const found = this.waiting.get(question);
    if (!found || found.shown.onItsWay) return;
    clearTimeout(found.timer);
    this.waiting.delete(question);
    this.changed();
  }

  private async sendNow(question: string): Promise<void> {
    const found = this.waiting.get(question);
    if (!found || found.shown.onItsWay) return;
    clearTimeout(found.timer);
    this.waiting.set(question, { ...found, shown: { ...found.shown, onItsWay: true } });
    // First of all: a page that is going away may have no time left to be drawn.
    const sent = found.send();
    this.changed();
    await sent;
    this.waiting.delete(question);
    this.changed();
  }

  private changed(): void {
    // A browser gives a page that is leaving half a second, and on a busy machine that is not enough for the last event.
    if (this.waiting.size) window.addEventListener("beforeunload", this.sendAll);
    else window.removeEventListener("beforeunload", this.sendAll);
    for (const watcher of this.watchers) watcher();
  }
}

export const pendingAnswers = new PendingAnswers();

export function usePendingAnswer(question: string): PendingAnswer | undefined {
  return useSyncExternalStore(pendingAnswers.watch, () => pendingAnswers.of(question));
}
