import dagre from "@dagrejs/dagre";
import { type LayoutAnswer, type LayoutRequest, layered } from "./layers";

export const NODE = { width: 198, height: 50 };

const MANY = 100;

/** Left to right by layers; the top left corner of each node. */
export function layout(request: LayoutRequest): LayoutAnswer {
  const { number, nodes, edges } = request;
  if (nodes.length > MANY) return layered(request, { ...NODE, column: 26, row: 14, margin: 16 });
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 26, marginx: 16, marginy: 14 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node, { ...NODE });
  for (const [from, to] of edges) graph.setEdge(from, to);
  dagre.layout(graph);
  const places: LayoutAnswer["places"] = {};
  for (const node of nodes) {
    const { x, y } = graph.node(node) as { x: number; y: number };
    places[node] = { x: x - NODE.width / 2, y: y - NODE.height / 2 };
  }
  return { number, places, width: graph.graph().width ?? 0, height: graph.graph().height ?? 0 };
}
