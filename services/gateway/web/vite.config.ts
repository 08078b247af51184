import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compress } from "./bundling/compress.ts";

const OUT = process.env.AGENTHUB_UI_OUT ?? fileURLToPath(new URL("../agenthub_gateway/ui", import.meta.url));
const HUB = process.env.AGENTHUB_URL ?? "http://127.0.0.1:8000";

export default defineConfig(({ command }) => ({
  base: command === "build" ? "/static/" : "/",
  plugins: [react(), compress(OUT)],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2023",
    // Everything comes from files of this hub: the content security policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  server: { proxy: { "/api": HUB, "/schema": HUB, "/problems": HUB, "/health": HUB } },
}));
