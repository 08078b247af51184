import { useEffect, useRef } from "react";

/** Whether the page is still looked at that asks: who has gone elsewhere meanwhile is not brought back. */
export function useHere(): () => boolean {
  const here = useRef(false);
  useEffect(() => {
    here.current = true;
    return () => {
      here.current = false;
    };
  }, []);
  return () => here.current;
}
