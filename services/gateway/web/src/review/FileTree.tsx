import { Icon } from "../ui/icons";

export interface Changed {
  path: string;
  added: number;
  removed: number;
}

interface Props {
  files: readonly Changed[];
  chosen: string;
  viewed: ReadonlySet<string>;
  choose: (path: string) => void;
}

/** The changed files, by folder. */
export function FileTree({ files, chosen, viewed, choose }: Props) {
  const folders = new Map<string, Changed[]>();
  for (const file of files) {
    const folder = file.path.includes("/") ? file.path.slice(0, file.path.indexOf("/") + 1) : "";
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  const ordered = [...folders].sort(([a], [b]) => (a === "" ? 1 : b === "" ? -1 : a.localeCompare(b)));
  return (
    <ul className="file-tree">
      {ordered.map(([folder, members]) => (
        <li key={folder}>
          {folder && <p className="folder ink-2">{folder}</p>}
          <ul>
            {members.map((file) => (
              <li key={file.path}>
                <button
                  type="button"
                  className={folder ? "file nested" : "file"}
                  aria-current={file.path === chosen ? "true" : undefined}
                  title={file.path}
                  onClick={() => choose(file.path)}
                >
                  <Icon name="file" />
                  <span className={`one-line grow ${viewed.has(file.path) ? "ink-3" : ""}`}>
                    {file.path.slice(folder.length)}
                  </span>
                  <span className="figures small">
                    <span className="add">+{file.added}</span>
                    {file.removed > 0 && <span className="del"> −{file.removed}</span>}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}
