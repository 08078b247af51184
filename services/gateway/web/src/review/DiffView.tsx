import "react-diff-view/style/index.css";
import "../styles/diff.css";
import { type ReactNode, useMemo, useState } from "react";
import {
  type ChangeData,
  Diff,
  type FileData,
  getChangeKey,
  Hunk,
  markEdits,
  parseDiff,
  tokenize,
} from "react-diff-view";
import { Icon } from "../ui/icons";
import { usePrinting } from "../ui/usePrinting";

const FOLD_LINES = 1_000;
const GENERATED = /(^|\/)(package-lock\.json|yarn\.lock|poetry\.lock|uv\.lock|.*\.min\.(js|css)|dist\/.*)$/;

export interface Place {
  path: string;
  line: number;
  side: "old" | "new";
}

interface Props {
  text: string;
  files: readonly { path: string; added: number; removed: number }[];
  split?: boolean;
  only?: string;
  viewed?: ReadonlySet<string>;
  view?: (path: string, on: boolean) => void;
  comment?: (place: Place) => void;
  widget?: (path: string, change: ChangeData) => ReactNode;
}

export const pathOf = (file: FileData): string => (file.newPath === "/dev/null" ? file.oldPath : file.newPath);

export function placeOf(path: string, change: ChangeData): Place {
  if (change.type === "normal") return { path, line: change.newLineNumber, side: "new" };
  return { path, line: change.lineNumber, side: change.type === "delete" ? "old" : "new" };
}

const big = (file: FileData): boolean =>
  GENERATED.test(pathOf(file)) || file.hunks.reduce((sum, hunk) => sum + hunk.changes.length, 0) > FOLD_LINES;

function FileDiff({
  file,
  counts,
  ...props
}: { file: FileData; counts: { added: number; removed: number } | undefined } & Props) {
  const path = pathOf(file);
  const viewed = props.viewed?.has(path) ?? false;
  const [open, setOpen] = useState(!big(file));
  const printing = usePrinting();
  // Who prints wants to read all of it.
  const shown = open && (!viewed || printing);
  const tokens = useMemo(
    () => (shown ? tokenize(file.hunks, { enhancers: [markEdits(file.hunks, { type: "block" })] }) : null),
    [file, shown],
  );
  const widgets = useMemo(() => {
    const found: Record<string, ReactNode> = {};
    for (const hunk of file.hunks)
      for (const change of hunk.changes) {
        const made = props.widget?.(path, change);
        if (made) found[getChangeKey(change)] = made;
      }
    return found;
  }, [file, path, props.widget]);
  return (
    <section className="file-diff" aria-label={path} data-file={path}>
      <div className="pane-head file-head">
        <button
          type="button"
          className="row grow one-line"
          aria-expanded={shown}
          onClick={() => {
            if (viewed) props.view?.(path, false);
            setOpen(viewed || !open);
          }}
        >
          <Icon name={shown ? "down" : "chevron"} />
          <code className="name one-line">{path}</code>
          {counts && (
            <span className="figures">
              <span className="add">+{counts.added}</span> <span className="del">−{counts.removed}</span>
            </span>
          )}
          {file.type !== "modify" && <span className="tag">{file.type}</span>}
        </button>
        {props.view && (
          <label className="row small">
            <input
              type="checkbox"
              checked={viewed}
              onChange={(event) => props.view?.(path, event.target.checked)}
            />
            Viewed
          </label>
        )}
      </div>
      {shown &&
        (file.isBinary || !file.hunks.length ? (
          <p className="empty-line">{file.isBinary ? "A binary file." : "Only its name or mode changed."}</p>
        ) : (
          <div className="diff-scroll" role="group" tabIndex={0} aria-label={`Lines of ${path}`}>
            <Diff
              viewType={props.split ? "split" : "unified"}
              diffType={file.type}
              hunks={file.hunks}
              tokens={tokens}
              widgets={widgets}
              renderGutter={({ change, side, renderDefault, wrapInAnchor }) => {
                if (!change || !props.comment) return wrapInAnchor(renderDefault());
                const place = placeOf(path, change);
                const mark = renderDefault();
                if (!mark || (change.type === "normal" && side === "old")) return mark;
                return (
                  <button
                    type="button"
                    className="line-number"
                    aria-label={`Comment on line ${place.line}`}
                    onClick={() => props.comment?.(place)}
                  >
                    {mark}
                  </button>
                );
              }}
            >
              {(hunks) =>
                hunks.flatMap((hunk) => [
                  <HunkHead key={`head ${hunk.content}`} text={hunk.content} split={props.split ?? false} />,
                  <Hunk key={hunk.content} hunk={hunk} />,
                ])
              }
            </Diff>
          </div>
        ))}
      {!shown && !viewed && big(file) && (
        <p className="empty-line">Generated or more than {FOLD_LINES} lines, so it starts folded.</p>
      )}
    </section>
  );
}

function HunkHead({ text, split }: { text: string; split: boolean }) {
  return (
    <tbody className="hunk-head">
      <tr>
        <td colSpan={split ? 4 : 3}>{text}</td>
      </tr>
    </tbody>
  );
}

/** A diff of git, file by file; changed words are marked. */
export function DiffView(props: Props) {
  const parsed = useMemo(() => parseDiff(props.text, { nearbySequences: "zip" }), [props.text]);
  const printing = usePrinting();
  const shown = props.only && !printing ? parsed.filter((file) => pathOf(file) === props.only) : parsed;
  return (
    <div className="diff-view">
      {shown.map((file) => (
        <FileDiff
          key={pathOf(file)}
          file={file}
          counts={props.files.find((other) => other.path === pathOf(file))}
          {...props}
        />
      ))}
    </div>
  );
}
