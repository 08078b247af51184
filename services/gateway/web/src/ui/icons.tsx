import type { ReactNode } from "react";

const PATHS = {
  logo: (
    <>
      <path d="M8 8.8 3.6 3.6M8 8.8l4.4-5.2M8 8.8v4.8" />
      <circle cx="8" cy="8.8" r="2.1" className="fill" />
      <circle cx="3.6" cy="3.6" r="1.2" className="fill" />
      <circle cx="12.4" cy="3.6" r="1.2" className="fill" />
      <circle cx="8" cy="13.6" r="1.2" className="fill" />
    </>
  ),
  plus: <path d="M8 2.5v11M2.5 8h11" />,
  minus: <path d="M2.5 8h11" />,
  goals: (
    <>
      <circle cx="8" cy="8" r="6" />
      <circle cx="8" cy="8" r="2.4" />
    </>
  ),
  inbox: <path d="M2 9.2 4 3h8l2 6.2V13H2zM2 9.2h3.4L6.5 11h3l1.1-1.8H14" />,
  review: (
    <>
      <path d="M1.2 8C3.6 3.2 12.4 3.2 14.8 8 12.4 12.8 3.6 12.8 1.2 8z" />
      <circle cx="8" cy="8" r="2" />
    </>
  ),
  letters: (
    <>
      <path d="M1.7 3h12.6v10H1.7z" />
      <path d="m6.2 6.2 3.6 3.6m0-3.6L6.2 9.8" />
    </>
  ),
  fleet: (
    <>
      <path d="M2 2.5h12v4.6H2zM2 8.9h12v4.6H2z" />
      <path d="M4.3 4.8h.6M4.3 11.2h.6" />
    </>
  ),
  analytics: <path d="M1.5 14h13M4.5 11.5V9M8 11.5v-7M11.5 11.5V7" />,
  search: (
    <>
      <circle cx="7" cy="7" r="4.6" />
      <path d="m10.6 10.6 3.6 3.6" />
    </>
  ),
  bell: <path d="M8 2a4 4 0 0 1 4 4v3l1.2 2H2.8L4 9V6a4 4 0 0 1 4-4zM6.6 13.4c.7.9 2.1.9 2.8 0" />,
  sun: (
    <>
      <circle cx="8" cy="8" r="2.7" />
      <path d="M8 1.3v1.8M8 12.9v1.8M1.3 8h1.8M12.9 8h1.8M3.3 3.3l1.2 1.2M11.5 11.5l1.2 1.2M3.3 12.7l1.2-1.2M11.5 4.5l1.2-1.2" />
    </>
  ),
  leave: <path d="M9.5 2.5h-6v11h6M6.5 8h8m-2.6-2.7L14.5 8l-2.6 2.7" />,
  chevron: <path d="m6 3.5 4.5 4.5L6 12.5" />,
  down: <path d="m3.5 6 4.5 4.5L12.5 6" />,
  back: <path d="M10 3.5 5.5 8l4.5 4.5" />,
  close: <path d="m3.5 3.5 9 9m0-9-9 9" />,
  pause: <path d="M5.5 3v10M10.5 3v10" />,
  play: <path d="M4.5 2.8v10.4L13 8z" />,
  stop: <path d="M3.5 3.5h9v9h-9z" />,
  more: <path d="M3 8h.4M7.8 8h.4M12.6 8h.4" className="dots" />,
  copy: (
    <>
      <path d="M5.5 5.5h8v8h-8z" />
      <path d="M3.5 10.5h-1v-8h8v1" />
    </>
  ),
  download: <path d="M8 2v8M4.8 7 8 10.2 11.2 7M2.5 13.5h11" />,
  file: <path d="M3.5 1.8h6l3 3v9.4h-9zM9.3 2v3h3" />,
  terminal: <path d="m2.5 4 4 4-4 4M8.5 12.5h5" />,
  table: <path d="M1.8 3h12.4v10H1.8zM1.8 6.3h12.4M6.2 6.3V13" />,
  graph: <path d="M1.5 6h4v4h-4zM10.5 2h4v4h-4zM10.5 10h4v4h-4zM5.5 8c3 0 2-4 5-4M5.5 8c3 0 2 4 5 4" />,
  fit: <path d="M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" />,
  lost: (
    <path d="m2 2 12 12M2.2 6.6A9 9 0 0 1 5 4.8M7.6 4.1a9 9 0 0 1 6.2 2.5M4.6 9.4A5 5 0 0 1 7 8.1M10 8.6l1.4.8M8 12.6v.3" />
  ),
  warn: (
    <>
      <path d="M8 1.8 14.8 13.8H1.2z" />
      <path d="M8 6v3.6M8 11.4v.4" />
    </>
  ),
  pen: <path d="m2.5 13.5.8-3.2 7.8-7.8 2.4 2.4-7.8 7.8z" />,
  branch: (
    <>
      <circle cx="4.5" cy="3.5" r="1.6" />
      <circle cx="4.5" cy="12.5" r="1.6" />
      <circle cx="11.5" cy="5" r="1.6" />
      <path d="M4.5 5.1v5.8M11.5 6.6c0 3-7 1.6-7 4.3" />
    </>
  ),
  menu: <path d="M2.5 4h11M2.5 8h11M2.5 12h11" />,
  person: (
    <>
      <circle cx="8" cy="5" r="2.8" />
      <path d="M2.5 14c.6-6 10.4-6 11 0" />
    </>
  ),
  sidebar: <path d="M1.8 2.8h12.4v10.4H1.8zM6 2.8v10.4" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      {PATHS[name]}
    </svg>
  );
}
