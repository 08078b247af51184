import { hubNow } from "../format/hubTime";
import type { Tone } from "../states/state";

/** Something that a person is told of beside the page; failures stay until they are closed. */
export interface Notice {
  id: number;
  tone: Tone;
  title: string;
  text: string;
  to: string;
  action: string;
  at: number;
  failure: boolean;
  toast: boolean;
  retry: (() => void) | null;
}

const KEPT = 100;

class Notices {
  private items: readonly Notice[] = [];
  private seen = 0;
  private next = 1;
  private readonly watchers = new Set<() => void>();

  readonly snapshot = (): readonly Notice[] => this.items;
  readonly unseen = (): number => this.items.filter((item) => item.id > this.seen).length;

  readonly watch = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  add(part: Partial<Notice> & Pick<Notice, "title" | "tone">): void {
    const plain = { text: "", to: "", action: "", at: hubNow(), failure: false, toast: true, retry: null };
    this.change([...this.items, { ...plain, ...part, id: this.next++ }].slice(-KEPT));
  }

  close(id: number): void {
    this.change(this.items.map((item) => (item.id === id ? { ...item, toast: false } : item)));
  }

  markSeen(): void {
    this.seen = this.next;
    this.change([...this.items]);
  }

  private change(items: readonly Notice[]): void {
    this.items = items;
    for (const watcher of this.watchers) watcher();
  }
}

export const notices = new Notices();
