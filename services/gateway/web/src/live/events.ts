import type { EventDocument } from "../api/types";

/** A frame of the live feed. Frames that are no event of the log have no `sequence`. */
export type Frame = Partial<EventDocument> & { type: string };

/** One message of a `text/event-stream`. */
export interface Message {
  id: string;
  data: string;
}

/** Cuts a stream of text into messages; comments come out as messages without data. */
export class MessageParser {
  private rest = "";

  take(text: string): Message[] {
    const parts = (this.rest + text).replaceAll("\r\n", "\n").split("\n\n");
    this.rest = parts.pop() ?? "";
    return parts.map(messageOf);
  }
}

function messageOf(part: string): Message {
  let id = "";
  const data: string[] = [];
  for (const line of part.split("\n")) {
    if (line.startsWith("id:")) id = line.slice(3).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return { id, data: data.join("\n") };
}
