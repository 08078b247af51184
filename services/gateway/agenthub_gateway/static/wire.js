// How the start page talks to its hub: requests, commands and the live log. Plain HTTP and one WebSocket.
export const API = "/api/v1";

const KEY = "agenthub-key";

// Where the hub asks for a key it is kept for this tab alone.
export const apiKey = sessionStorage.getItem(KEY) || "";

/** Use this key from now on. */
export function keep(key) {
  sessionStorage.setItem(KEY, key);
  location.reload();
}

/** A request; `key-needed` is told to the window when the hub wants a key, or another one. */
export async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(apiKey ? { Authorization: `Bearer ${apiKey}` } : {}) };
  const response = await fetch(API + path, { ...options, headers });
  if (response.ok) return response;
  if (response.status === 401) window.dispatchEvent(new Event("key-needed"));
  const problem = await response.json().catch(() => ({ title: response.statusText }));
  const places = (problem.errors || []).map((error) => `${error.key}: ${error.message}`);
  throw new Error([problem.detail || problem.title, ...places].join(" · "));
}

/** A command; sent again with the same key it is the same command. */
export async function tell(path, body, key) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/** What makes a command the same one when it is sent again; also where a page is not served over TLS. */
export function once() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Every event behind `from`, as it comes; `closed` once the connection has ended. */
export function follow(from, take, opened, closed) {
  if (apiKey) stream(from, take, opened).then(closed, closed);
  else listen(from, take, opened, closed);
}

/** Frames over a WebSocket; of these a browser opens as many as there are tabs. */
function listen(from, take, opened, closed) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${API}/ws?from=${from}`);
  socket.addEventListener("open", opened);
  socket.addEventListener("message", (message) => take(message.data));
  socket.addEventListener("close", closed);
}

/** The same frames as Server-Sent Events: a WebSocket of a browser cannot carry a key. Ends when the stream does. */
async function stream(from, take, opened) {
  const response = await ask(`/stream?from=${from}`);
  opened();
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    const messages = (rest + value).split(/\r?\n\r?\n/);
    rest = messages.pop();
    for (const message of messages) {
      const data = message.split(/\r?\n/).filter((text) => text.startsWith("data:"));
      if (data.length) take(data.map((text) => text.slice(5)).join("\n"));
    }
  }
}
