import { SHAPES, type Shape } from "./shapes";
import type { State, Tone } from "./state";

export function Mark({ shape, tone, share = 0.3 }: { shape: Shape; tone: Tone; share?: number | undefined }) {
  return (
    <svg
      className={`mark tone-${tone}`}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
      focusable="false"
    >
      {SHAPES[shape](share)}
    </svg>
  );
}

/** Icon and word, in the tone of the state. */
export function StateWord({ state }: { state: State }) {
  return (
    <span className={`state tone-${state.tone}`}>
      <Mark {...state} />
      <span>{state.word}</span>
    </span>
  );
}

/** The same on its own ground, for headers. */
export function StateChip({ state }: { state: State }) {
  return (
    <span className={`state chip tone-${state.tone}`}>
      <Mark {...state} />
      <span>{state.word}</span>
    </span>
  );
}

/** Only the icon; the name is read out. */
export function StateIcon({ state, label }: { state: State; label: string }) {
  return (
    <span role="img" aria-label={label} className="state-icon">
      <Mark {...state} />
    </span>
  );
}
