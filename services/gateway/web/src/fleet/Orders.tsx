import type { ReactNode } from "react";
import { some } from "../format/numbers";
import { Confirm } from "../ui/commands/Confirm";
import { useCommand } from "../ui/commands/useCommand";
import { Icon } from "../ui/icons";

const NEXT_START = "The next start of the hub counts by its settings again.";

/** Hold a queue back, or let it go on. */
export function PauseQueue({
  type,
  paused,
  maintenance,
}: {
  type: string;
  paused: boolean;
  maintenance: boolean;
}) {
  const { busy, send } = useCommand(paused ? `Resume ${type}` : `Pause ${type}`);
  if (paused)
    return (
      <Confirm
        verb={`Resume ${type}`}
        consequence={
          maintenance
            ? `Orders for ${type} are given out again once the maintenance has ended.`
            : `Orders for ${type} that have waited are given out at once.`
        }
        className="small"
        reason={false}
        calm
        disabled={busy}
        onConfirm={() => void send(`/queues/${type}/resume`, {}, { title: `${type} goes on` })}
      >
        Resume <span className="unseen">{type}</span>
      </Confirm>
    );
  return (
    <Confirm
      verb={`Pause ${type}`}
      consequence={`No order for ${type} is given out any more. What is being worked on is finished; goals that need ${type} wait until somebody resumes it, also over a restart.`}
      className="small"
      calm
      disabled={busy}
      onConfirm={(reason) =>
        void send(`/queues/${type}/pause`, reason ? { reason } : {}, { title: `${type} is paused`, tone: "idle" })
      }
    >
      Pause <span className="unseen">{type}</span>
    </Confirm>
  );
}

interface Props {
  type: string;
  /** Workers that serve this type alone: only their number is changed here. */
  own: number;
  serving: number;
  children: ReactNode;
}

/** One worker more, or one less, of a hub that starts its workers itself. */
export function ScaleWorkers({ type, own, serving, children }: Props) {
  const { busy, send } = useCommand("Changing the number of workers");
  const scale = (workers: number) =>
    void send("/scale", { types: type, workers }, { title: `${some(workers, "worker")} for ${type} alone` });
  const last = serving === 1 ? ` Nobody is left for ${type} then: its orders wait.` : "";
  return (
    <span className="stepper">
      <Confirm
        verb={`One ${type} worker less`}
        consequence={`One of ${some(own, "worker")} for ${type} takes nothing new, finishes what it holds, and ends.${last} ${NEXT_START}`}
        className="icon-only small plain"
        reason={false}
        calm
        disabled={busy || own === 0}
        onConfirm={() => scale(own - 1)}
      >
        <Icon name="minus" />
        <span className="unseen">One {type} worker less</span>
      </Confirm>
      {children}
      <Confirm
        verb={`One ${type} worker more`}
        consequence={`Another worker for ${type} starts now and takes what waits; it needs memory and processor time of this machine. ${NEXT_START}`}
        className="icon-only small plain"
        reason={false}
        calm
        disabled={busy}
        onConfirm={() => scale(own + 1)}
      >
        <Icon name="plus" />
        <span className="unseen">One {type} worker more</span>
      </Confirm>
    </span>
  );
}
