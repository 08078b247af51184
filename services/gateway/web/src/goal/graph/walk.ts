import type { Model } from "../model";
import type { LayoutAnswer } from "./layers";

type Places = LayoutAnswer["places"];

/** Where an arrow leads: along an edge sideways, to the nearest node of the layer up and down. */
export function neighbour(key: string, at: string, model: Model, places: Places): string | null {
  const here = places[at];
  if (!here) return model.nodes[0]?.id ?? null;
  if (key === "ArrowRight")
    return nearest(
      model.edges.filter((edge) => edge.from === at).map((edge) => edge.to),
      here,
      places,
    );
  if (key === "ArrowLeft")
    return nearest(
      model.edges.filter((edge) => edge.to === at).map((edge) => edge.from),
      here,
      places,
    );
  const down = key === "ArrowDown";
  const beside = model.nodes
    .map((node) => node.id)
    .filter((id) => {
      const place = places[id];
      return place && Math.abs(place.x - here.x) < 120 && (down ? place.y > here.y : place.y < here.y);
    });
  return nearest(beside, here, places);
}

function nearest(ids: readonly string[], here: { x: number; y: number }, places: Places): string | null {
  const distance = (id: string) => Math.hypot((places[id]?.x ?? 0) - here.x, (places[id]?.y ?? 0) - here.y);
  return [...ids].sort((a, b) => distance(a) - distance(b))[0] ?? null;
}

/** The node, everything before it and everything after it; empty without a selection. */
export function related(model: Model, id: string): ReadonlySet<string> {
  if (!id || !model.nodes.some((node) => node.id === id)) return new Set();
  const found = new Set([id]);
  for (const [from, to] of [
    ["from", "to"],
    ["to", "from"],
  ] as const) {
    const waiting = [id];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      for (const edge of model.edges) {
        if (edge[from] === next && !found.has(edge[to])) {
          found.add(edge[to]);
          waiting.push(edge[to]);
        }
      }
    }
  }
  return found;
}
