import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Refused } from "./api/client";
import { enter } from "./api/session";
import { feed } from "./live/feed";
import { Refresher } from "./live/refresh";
import { router } from "./router";
import "./styles/index.css";
import { ignoreSecondClicks } from "./ui/commands/secondClicks";

const TRIES = 2;
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      networkMode: "always",
      retry: (failures, error) =>
        failures < TRIES && error instanceof Refused && (error.status === 0 || error.status >= 500),
    },
    mutations: { networkMode: "always" },
  },
});

async function start(place: HTMLElement): Promise<void> {
  ignoreSecondClicks();
  const session = await enter();
  new Refresher(queries, feed);
  if (session?.way !== "none") feed.start();
  createRoot(place).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}

const place = document.getElementById("root");
if (place) void start(place);
