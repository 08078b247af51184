import "@xyflow/react/dist/base.css";
import {
  getViewportForBounds,
  MarkerType,
  MiniMap,
  ReactFlow,
  type ReactFlowInstance,
  type Rect,
} from "@xyflow/react";
import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef } from "react";
import { Icon } from "../../ui/icons";
import { Loading } from "../../ui/Loading";
import { type Model, why } from "../model";
import { NODE } from "./layout";
import { NodeBox } from "./NodeBox";
import { useLayout } from "./useLayout";
import { neighbour, related } from "./walk";

const MANY = 100;
const FIT = { maxZoom: 1, minZoom: 0.7, padding: 0.04 };
const SMALLEST = 0.2;
const TYPES = { box: NodeBox };

function boundsOf(places: Record<string, { x: number; y: number }>): Rect {
  const all = Object.values(places);
  const [left, top] = [Math.min(...all.map(({ x }) => x)), Math.min(...all.map(({ y }) => y))];
  const [right, bottom] = [Math.max(...all.map(({ x }) => x)), Math.max(...all.map(({ y }) => y))];
  return { x: left, y: top, width: right - left + NODE.width, height: bottom - top + NODE.height };
}

interface Props {
  model: Model;
  selected: string;
  now: number;
  select: (id: string) => void;
  open: (id: string) => void;
  measured: (height: number) => void;
  /** Nodes that stand elsewhere at another event. */
  ringed?: ReadonlySet<string> | undefined;
}

/** The live graph: one stop for the keyboard, arrows walk along the edges. */
export function GraphView({ model, selected, now, select, open, measured, ringed }: Props) {
  const laid = useLayout(model);
  const places = laid?.places ?? null;
  const pane = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!laid?.height) return;
    // As high as the drawing is once it fits the width, and then fitted anew.
    const scale = Math.min(1, Math.max(FIT.minZoom, (pane.current?.clientWidth ?? laid.width) / laid.width));
    measured(Math.ceil(laid.height * scale));
  }, [laid, measured]);
  const flow = useRef<ReactFlowInstance | null>(null);
  const fit = useCallback(
    (smallest: number) => {
      const box = pane.current;
      if (!box || !places || !Object.keys(places).length) return;
      // By what the pane measures now: the drawing learns of a new size only later.
      const { clientWidth: width, clientHeight: height } = box;
      void flow.current?.setViewport(
        getViewportForBounds(boundsOf(places), width, height, smallest, FIT.maxZoom, FIT.padding),
      );
    },
    [places],
  );
  useEffect(() => {
    if (!pane.current) return;
    const sized = new ResizeObserver(() => fit(FIT.minZoom));
    sized.observe(pane.current);
    return () => sized.disconnect();
  }, [fit]);
  const near = useMemo(() => related(model, selected), [model, selected]);
  const nodes = useMemo(
    () =>
      model.nodes.flatMap((node) => {
        const position = places?.[node.id];
        if (!position) return [];
        const data = {
          node,
          second: why(node, model, now),
          selected: node.id === selected,
          dimmed: near.size > 0 && !near.has(node.id),
          ringed: ringed?.has(node.id) ?? false,
        };
        return [{ id: node.id, type: "box", position, data, ...NODE, focusable: false }];
      }),
    [model, places, now, selected, near, ringed],
  );
  const edges = useMemo(
    () =>
      model.edges.map((edge) => {
        const back = edge.kind === "repair" && model.nodes.some((node) => node.id === edge.to && node.gate);
        const out = edge.kind === "repair" && model.nodes.some((node) => node.id === edge.from && node.gate);
        return {
          id: `${edge.from} ${edge.to}`,
          source: edge.from,
          target: edge.to,
          type: back || out ? "smoothstep" : "default",
          focusable: false,
          sourceHandle: out ? "down" : null,
          targetHandle: back ? "under" : null,
          className: `edge-${edge.kind} ${selected && (edge.from === selected || edge.to === selected) ? "edge-near" : ""}`,
          markerEnd: { type: MarkerType.Arrow, width: 13, height: 13, strokeWidth: 1.3 },
        };
      }),
    [model, selected],
  );
  function walk(event: KeyboardEvent) {
    if (event.key === "Enter" && selected) open(selected);
    const next = places && event.key.startsWith("Arrow") ? neighbour(event.key, selected, model, places) : null;
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    select(next);
  }
  return (
    <div
      ref={pane}
      className="graph"
      data-layout={places ? "done" : "waits"}
      role="group"
      tabIndex={0}
      onKeyDown={walk}
      aria-label={`Task graph, ${model.nodes.length} nodes. Arrows walk along the edges, Enter opens. The table holds the same.`}
    >
      {places ? (
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={TYPES}
          onInit={(instance) => {
            flow.current = instance as unknown as ReactFlowInstance;
            fit(FIT.minZoom);
          }}
          onNodeClick={(_, node) => open(node.id)}
          onPaneClick={() => select("")}
          onlyRenderVisibleElements={model.nodes.length > MANY}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          disableKeyboardA11y
          fitView
          fitViewOptions={FIT}
          minZoom={SMALLEST}
          maxZoom={1.5}
          zoomOnDoubleClick={false}
          preventScrolling={false}
          panOnScroll
          proOptions={{ hideAttribution: true }}
        >
          {model.nodes.length > MANY && (
            <MiniMap
              pannable
              bgColor="var(--surface)"
              ariaLabel="Overview of the graph"
              nodeColor="var(--idle-solid)"
              maskColor="color-mix(in srgb, var(--bg) 70%, transparent)"
            />
          )}
        </ReactFlow>
      ) : (
        <Loading what="the graph" rows={3} />
      )}
      <button
        type="button"
        className="button icon-only fit"
        aria-label="Fit the graph"
        onClick={() => fit(SMALLEST)}
      >
        <Icon name="fit" />
      </button>
    </div>
  );
}
