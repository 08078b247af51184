import { Handle, type NodeProps, Position } from "@xyflow/react";
import { Mark } from "../../states/StateMark";
import type { Node } from "../model";

export interface BoxData extends Record<string, unknown> {
  node: Node;
  second: string;
  selected: boolean;
  dimmed: boolean;
  ringed: boolean;
}

const HEXAGON = "M12 .75h174L197.25 25 186 49.25H12L.75 25z";

/** A task as a card, a gate with pointed ends. */
export function NodeBox({ data }: NodeProps & { data: BoxData }) {
  const { node, second, selected, dimmed, ringed } = data;
  const solid = ["ask", "bad", "rev"].includes(node.state.tone);
  const classes = [
    "node-box",
    node.gate ? "gate-box" : "task-box",
    `tone-${node.state.tone}`,
    solid ? "called" : "",
    node.added ? "added" : "",
    selected ? "selected" : "",
    dimmed ? "dimmed" : "",
    ringed ? "ringed" : "",
    node.tasks.length ? "" : "to-come",
  ];
  const share = node.state.tone === "run" && node.state.share ? node.state.share : 0;
  return (
    <div
      className={classes.join(" ")}
      title={`${node.title}: ${node.state.word}. ${second}`}
      data-node={node.id}
      data-state={node.state.word}
    >
      {node.gate && (
        <svg className="gate-shape" viewBox="0 0 198 50" aria-hidden="true">
          <path d={HEXAGON} />
        </svg>
      )}
      <Mark {...node.state} />
      <span className="node-words">
        <span className="one-line name" dir="auto">
          {node.title}
        </span>
        <span className="one-line small ink-3">{second}</span>
      </span>
      {share > 0 && <i className="node-foot" style={{ width: `${share * 100}%` }} />}
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <Handle type="source" position={Position.Right} isConnectable={false} />
      <Handle type="target" id="under" position={Position.Bottom} isConnectable={false} />
      <Handle type="source" id="down" position={Position.Bottom} isConnectable={false} />
    </div>
  );
}
