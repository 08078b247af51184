import { useEffect, useRef, useState } from "react";
import type { Model } from "../model";
import type { LayoutAnswer, LayoutRequest } from "./layers";

/** Where each node stands; computed in a thread of its own, and only when nodes or edges have changed. */
export function useLayout(model: Model): LayoutAnswer | null {
  const [answer, setAnswer] = useState<LayoutAnswer | null>(null);
  const worker = useRef<Worker | null>(null);
  const number = useRef(0);
  const gates = new Set(model.nodes.filter((node) => node.gate).map((node) => node.id));
  const shape = JSON.stringify([
    model.nodes.map((node) => node.id),
    model.edges.filter((edge) => forward(edge, gates)).map((edge) => [edge.from, edge.to]),
  ]);
  useEffect(() => {
    const made = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    made.onmessage = (message: MessageEvent<LayoutAnswer>) => {
      if (message.data.number === number.current) setAnswer(message.data);
    };
    worker.current = made;
    return () => made.terminate();
  }, []);
  useEffect(() => {
    const [nodes, edges] = JSON.parse(shape) as [string[], [string, string][]];
    number.current += 1;
    const request: LayoutRequest = { number: number.current, nodes, edges };
    worker.current?.postMessage(request);
  }, [shape]);
  return answer;
}

/** A repair goes back into its gate: that edge is drawn, and orders nothing. */
function forward(edge: Model["edges"][number], gates: ReadonlySet<string>): boolean {
  return edge.kind !== "repair" || !gates.has(edge.to);
}
