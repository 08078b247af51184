import type { ReactNode } from "react";

const HEXAGON = "M4.7 2h6.6L15 8l-3.7 6H4.7L1 8z";
const RING = <circle cx="8" cy="8" r="6" />;
const DIAMOND = "M8 .9 15.1 8 8 15.1.9 8z";

/** A pie of `share` (0 to 1) from the top, clockwise. */
function pie(share: number): string {
  const angle = Math.min(0.999, Math.max(0.04, share)) * 2 * Math.PI;
  const x = 8 + 3.6 * Math.sin(angle);
  const y = 8 - 3.6 * Math.cos(angle);
  return `M8 8V4.4A3.6 3.6 0 ${angle > Math.PI ? 1 : 0} 1 ${x.toFixed(2)} ${y.toFixed(2)}z`;
}

const branch = (filled: boolean): ReactNode => (
  <>
    <path d="M4.5 8h2c2 0 1.5-4 4-4M6.5 8c2 0 1.5 4 4 4" />
    <circle cx="3" cy="8" r="1.6" className={filled ? "fill" : "fill"} />
    <circle cx="12.2" cy="4" r="1.6" className={filled ? "fill" : ""} />
    <circle cx="12.2" cy="12" r="1.6" className={filled ? "fill" : ""} />
  </>
);

/** Every mark of a state on a grid of 16: rings wait or work, discs are finished, diamonds failed, hexagons judge. */
export const SHAPES = {
  "ring-dashed": () => <circle cx="8" cy="8" r="6" strokeDasharray="2.2 1.6" />,
  "ring-bar": () => (
    <>
      {RING}
      <path d="M5.5 8h5" />
    </>
  ),
  "ring-pie": (share: number) => (
    <>
      {RING}
      <path d={pie(share)} className="solid" />
    </>
  ),
  "ring-dot": () => (
    <>
      {RING}
      <circle cx="8" cy="8" r="1.7" className="fill" />
    </>
  ),
  "ring-bars": () => (
    <>
      {RING}
      <path d="M6.4 5.7v4.6M9.6 5.7v4.6" />
    </>
  ),
  "ring-slash": () => (
    <>
      {RING}
      <path d="M3.9 12.1 12.1 3.9" />
    </>
  ),
  disc: () => (
    <>
      <circle cx="8" cy="8" r="7" className="solid" />
      <path d="m4.9 8.2 2.2 2.2 4-4.4" className="on" />
    </>
  ),
  bubble: () => (
    <>
      <path d="M2 1.8h12v9.4H8.4L5.6 14v-2.8H2z" className="solid outlined" />
      <path d="M6.3 5.2c.2-1.9 3.5-1.8 3.4.1-.1 1.1-1.7 1.1-1.7 2.2M8 9.2v.3" className="on" />
    </>
  ),
  diamond: () => (
    <>
      <path d={DIAMOND} className="solid" />
      <path d="m6 6 4 4m0-4-4 4" className="on" />
    </>
  ),
  clock: () => (
    <>
      {RING}
      <path d="M8 4.6V8l2.4 1.4" />
    </>
  ),
  crescent: () => <path d="M12.9 10.1A5.6 5.6 0 0 1 6 2.9a5.6 5.6 0 1 0 6.9 7.2z" />,
  envelope: () => (
    <>
      <path d="M1.5 3h13v10h-13z" />
      <path d="m6 6 4 4m0-4-4 4" />
    </>
  ),
  wall: () => <path d="m2 4 4 4-4 4M7 4l4 4-4 4M13.5 3.5v9" />,
  branch: () => branch(false),
  "branch-filled": () => branch(true),
  hexagon: () => <path d={HEXAGON} strokeDasharray="2.6 1.9" />,
  "hexagon-dot": () => (
    <>
      <path d={HEXAGON} />
      <circle cx="8" cy="8" r="1.8" className="fill" />
    </>
  ),
  "hexagon-half": () => (
    <>
      <path d={HEXAGON} />
      <path d="M4.7 2H8v12H4.7L1 8z" className="solid" />
    </>
  ),
  "hexagon-tick": () => (
    <>
      <path d={HEXAGON} className="solid" />
      <path d="m5.1 8.2 2.1 2.1 3.7-4.1" className="on" />
    </>
  ),
  "hexagon-cross": () => (
    <>
      <path d={HEXAGON} className="solid" />
      <path d="m6 6 4 4m0-4-4 4" className="on" />
    </>
  ),
  "hexagon-turn": () => (
    <>
      <path d={HEXAGON} />
      <path d="M5.7 7.2A2.6 2.6 0 1 1 6 9.6M5.6 5.2v2.2h2.2" />
    </>
  ),
  eye: () => (
    <>
      <path d="M.9 8C3.3 2.7 12.7 2.7 15.1 8 12.7 13.3 3.3 13.3.9 8z" className="solid" />
      <circle cx="8" cy="8" r="2.3" className="hole" />
    </>
  ),
  turn: () => <path d="M3.2 6.2A5.2 5.2 0 1 1 3 9.4M2.6 2.6v3.8h3.8" />,
  triangle: () => (
    <>
      <path d="M8 1.8 14.8 13.8H1.2z" />
      <path d="M8 6v3.6M8 11.4v.4" />
    </>
  ),
} satisfies Record<string, (share: number) => ReactNode>;

export type Shape = keyof typeof SHAPES;
