import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Loading } from "./Loading";
import { Problem } from "./Problem";

interface Props<T> {
  query: UseQueryResult<T>;
  /** What is read, as in "Reading the evidence". */
  what: string;
  /** What it means for the work when it cannot be read. */
  meaning: string;
  children: (read: T) => ReactNode;
}

/** What was read, and nothing before: what is not known yet is not shown as none. */
export function WhenRead<T>({ query, what, meaning, children }: Props<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.isPending) return <Loading what={what} />;
  return (
    <Problem
      what={`${what.charAt(0).toUpperCase()}${what.slice(1)} could not be read`}
      meaning={meaning}
      error={query.error}
      retry={() => void query.refetch()}
    />
  );
}
