import { useRef } from "react";
import { useDraft } from "../../kept/useDraft";
import { useCommand } from "../../ui/commands/useCommand";
import { MOST, TooLong, tooLong } from "../../ui/TooLong";

/** A word to the agent at work. */
export function NoteField({ goalId, taskId }: { goalId: string; taskId: string }) {
  const command = useCommand("The note");
  const [words, setWords] = useDraft(`agenthub-note-${goalId}-${taskId}`, "");
  const field = useRef<HTMLInputElement>(null);
  return (
    <form
      className="foot"
      onSubmit={async (event) => {
        event.preventDefault();
        if (!words.trim()) return;
        const sent = await command.send(
          `/goals/${goalId}/tasks/${taskId}/note`,
          { text: words },
          { title: "The agent reads it at its next step" },
        );
        // What was typed while this was sent is the next one.
        if (sent && (field.current?.value ?? words) === words) setWords("");
      }}
    >
      <input
        ref={field}
        className="grow"
        aria-label="Tell this agent something"
        placeholder="Tell this agent something, it reads it at its next step"
        value={words}
        onChange={(event) => setWords(event.target.value)}
      />
      <TooLong text={words} most={MOST.text} />
      <button
        type="submit"
        className="button"
        disabled={command.busy || !words.trim() || tooLong(words, MOST.text)}
      >
        Send
      </button>
    </form>
  );
}
