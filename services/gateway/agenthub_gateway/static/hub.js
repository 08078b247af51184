// The start page: what needs a person, the goals, and the story of one of them.
import { API, apiKey, ask, follow as followLog, keep, once, tell } from "./wire.js";

const STATES = {
  accepted: ["Accepted", "◌", "idle"],
  planning: ["Planning", "⋔", "run"],
  workflow_generated: ["Plan ready", "⋔", "idle"],
  running: ["Running", "◔", "run"],
  validating: ["Validating", "⬡", "run"],
  rework: ["Rework", "↻", "run"],
  awaiting_human: ["Waits for you", "?", "ask"],
  ready_for_review: ["Ready for review", "◉", "rev"],
  paused: ["Paused", "‖", "idle"],
  completed: ["Completed", "✓", "ok"],
  failed: ["Failed", "✗", "bad"],
  cancelled: ["Cancelled", "⊘", "idle"],
};
const OVER = new Set(["completed", "failed", "cancelled"]);
const REFRESH_MS = 150;
const RETRY_MS = 1000;
const LONG = 160;

const goals = new Map();
const story = new Map();
const scripted = new Set();
let questions = [];
let selected = "";
let newest = 0;

const $ = (id) => document.getElementById(id);

/** An element with properties and children; texts are never read as HTML. */
function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

async function read(path) {
  const response = await ask(path);
  newest = Math.max(newest, Number(response.headers.get("Agenthub-Position") || 0));
  return response.json();
}

function askForKey() {
  for (const id of ["main", "api", "place"]) $(id).hidden = true;
  $("key-form").hidden = false;
  $("key-refused").hidden = !apiKey;
  $("key").focus();
}

/** A link that a browser follows by itself carries no key, so with one the page fetches the file. */
function download(label, path, name) {
  const link = el("a", { href: API + path }, label);
  link.addEventListener("click", async (event) => {
    if (!apiKey) return;
    event.preventDefault();
    try {
      const href = URL.createObjectURL(await (await ask(path)).blob());
      el("a", { href, download: name }).click();
      URL.revokeObjectURL(href);
    } catch (error) {
      say(`${label}: ${error.message}`);
    }
  });
  return link;
}

/** A button that sends a command once, and says why it did not arrive. */
function command(label, path, body, properties = {}) {
  const key = once();
  const button = el("button", { type: "button", ...properties }, label);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const answer = await tell(path, typeof body === "function" ? body() : body, key);
      say("");
      await refresh(new Set([answer.goal_id]), answer.sequence);
    } catch (error) {
      say(`${label}: ${error.message}`);
    } finally {
      button.disabled = false;
    }
  });
  return button;
}

function say(words) {
  // Without a key nothing can be read, and the page says so already.
  const text = $("main").hidden ? "" : words;
  $("banner").hidden = !text;
  $("banner").textContent = text;
}

function state(goal) {
  const [word, shape, tone] = STATES[goal.status] || [goal.status, "·", "idle"];
  return el("span", { className: `state ${tone}`, "data-shape": shape }, word);
}

function row(goal) {
  const done = goal.tasks_total ? `${goal.tasks_done}/${goal.tasks_total}` : "–";
  const second = goal.summary || (goal.tasks_running ? `${goal.tasks_running} at work` : when(goal.updated_at));
  return el(
    "a",
    { className: "row", href: `#${goal.goal_id}`, ...(goal.goal_id === selected ? { "aria-current": "true" } : {}) },
    state(goal),
    el("span", {}, el("b", { title: goal.goal }, goal.goal), el("small", {}, second)),
    el("span", { className: "figures" }, done),
  );
}

function drawGoals() {
  const all = [...goals.values()].sort((a, b) => b.first_seq - a.first_seq);
  const groups = [
    ["Needs you", all.filter((goal) => goal.needs_you)],
    ["Running", all.filter((goal) => !goal.needs_you && !OVER.has(goal.status))],
    ["Finished", all.filter((goal) => !goal.needs_you && OVER.has(goal.status))],
  ].filter(([, members]) => members.length);
  $("goals").replaceChildren(
    ...groups.flatMap(([name, members]) => [
      el("div", { className: "group" }, `${name} `, el("small", {}, String(members.length))),
      ...members.map(row),
    ]),
    ...(all.length ? [] : [el("p", { className: "empty" }, "No goals yet. Say above what is to be built.")]),
  );
}

function questionCard(question) {
  const name = `option-${question.id}`;
  const words = el("textarea", { rows: 2, placeholder: "In your own words", ariaLabel: "Answer in your own words" });
  const options = el("fieldset", { className: "options" });
  for (const option of question.options) {
    options.append(el("label", {}, el("input", { type: "radio", name, value: option }), option));
  }
  const given = () => ({
    action: "answer",
    text: words.value,
    option: options.querySelector("input:checked")?.value || "",
  });
  const path = `/interventions/${question.id}/answer`;
  const whole = question.task_id === "_" && !question.about;
  return el(
    "div",
    { className: "card ask", "data-question": question.id },
    el("h2", {}, goals.get(question.goal_id)?.goal || question.goal_id),
    el("span", { className: "state ask", "data-shape": "?" }, `${question.title || "The goal"} asks you`),
    el("p", question.question.length > LONG ? {} : { className: "question" }, question.question),
    question.error ? el("p", {}, question.error) : null,
    question.evidence ? el("pre", { tabIndex: 0 }, question.evidence) : null,
    options,
    words,
    el(
      "div",
      { className: "actions" },
      command("Answer and continue", path, given, { className: "primary" }),
      command("Retry task", path, { action: "retry" }),
      command("Skip task", path, { action: "skip" }),
      command(whole ? "Give the goal up" : "Cancel task", path, { action: "cancel" }),
    ),
  );
}

function drawNeeds() {
  const shown = questions.filter((question) => !selected || question.goal_id === selected);
  const wanted = shown.map((question) => question.id).join(" ");
  // A card that somebody is typing in must stay as it is while other things change.
  if ($("needs").dataset.shown === wanted) return;
  $("needs").dataset.shown = wanted;
  $("needs").replaceChildren(...shown.map(questionCard));
}

function verdict(goal) {
  const words = el("textarea", { rows: 2, placeholder: "What should be changed?", ariaLabel: "What should be changed" });
  const base = `/goals/${goal.goal_id}`;
  return el(
    "div",
    { className: "card rev" },
    el("span", { className: "state rev", "data-shape": "◉" }, "The result waits for your verdict"),
    el("p", {}, goal.summary),
    words,
    el(
      "div",
      { className: "actions" },
      command("Approve", `${base}/approve`, { ready_seq: goal.ready_seq }, { className: "primary" }),
      command("Request changes", `${base}/rework`, () => ({ feedback: words.value })),
      download("Download as git bundle", `${base}/bundle`, `${goal.goal_id}.bundle`),
    ),
  );
}

function actions(goal) {
  if (OVER.has(goal.status)) return null;
  const base = `/goals/${goal.goal_id}`;
  const hold = goal.status === "paused" ? command("Resume", `${base}/resume`, {}) : command("Pause", `${base}/pause`, {});
  const waits = goal.autonomy === "approve_plan" && goal.revision > 0 && !goal.plan_approved;
  const plan = { action: "approve", revision: goal.revision };
  return el(
    "div",
    { className: "actions" },
    waits ? command("Approve plan", `${base}/plan`, plan, { className: "primary" }) : null,
    hold,
    command("Cancel goal", `${base}/cancel`, {}),
  );
}

function drawDetail() {
  const goal = goals.get(selected);
  if (!goal) {
    $("goal-detail").replaceChildren(el("p", { className: "empty" }, "Choose a goal to read its story."));
    return;
  }
  const share = (count) => `width:${(100 * count) / Math.max(goal.tasks_total, 1)}%`;
  const bar = el("div", { className: "bar", role: "img", ariaLabel: `${goal.tasks_done} of ${goal.tasks_total} tasks` });
  for (const count of [goal.tasks_done, goal.tasks_running]) bar.append(el("i", {}));
  [...bar.children].forEach((part, index) => {
    part.style.cssText = share(index ? goal.tasks_running : goal.tasks_done);
  });
  const lines = [...story.values()].sort((a, b) => a.seq - b.seq).map(line);
  $("goal-detail").replaceChildren(
    el(
      "div",
      { className: "card" },
      el("h1", {}, goal.goal),
      el("div", {}, state(goal), goal.pause_reason ? ` ${goal.pause_reason}` : ""),
      bar,
      el("small", {}, facts(goal)),
      actions(goal),
    ),
    goal.status === "ready_for_review" ? verdict(goal) : "",
    el("ol", { className: "story" }, ...lines),
  );
}

function facts(goal) {
  const known = goal.unpriced_calls ? "price unknown" : `$${goal.cost_usd.toFixed(2)}`;
  const price = scripted.has(goal.goal_id) ? "scripted model, no cost" : known;
  const parts = [`${goal.tasks_done} of ${goal.tasks_total} tasks`, `${goal.llm_calls} model calls`, price];
  if (goal.estimated_time && !OVER.has(goal.status)) parts.push(`estimated ${goal.estimated_time}`);
  return `${parts.join(" · ")} · as of #${goal.last_seq}`;
}

function line(entry) {
  const at = new Date(entry.at);
  return el(
    "li",
    {},
    el("time", { dateTime: entry.at, title: `${entry.at} · #${entry.seq}` }, at.toLocaleTimeString([], { hour12: false })),
    el("span", {}, entry.component),
    el("p", {}, entry.text),
  );
}

function when(text) {
  return text ? new Date(text).toLocaleString([], { hour12: false }) : "";
}

async function loadStory(after) {
  const goalId = selected;
  if (!goalId) return;
  const held = [...story.keys()].sort((a, b) => a - b);
  // The newest lines may still grow, so they are read again.
  let cursor = String(Math.max((held.at(-8) || 1) - 1, 0));
  while (cursor !== null && selected === goalId) {
    const page = await read(`/goals/${goalId}/timeline?cursor=${cursor}${after ? `&after=${after}` : ""}`);
    if (selected === goalId) page.items.forEach((entry) => story.set(entry.seq, entry));
    cursor = page.next_cursor;
  }
  const usage = await read(`/goals/${goalId}/usage`);
  if (usage.items.some((item) => item.provider === "rehearsal")) scripted.add(goalId);
}

async function refresh(changed, after) {
  const suffix = after ? `?after=${after}` : "";
  const rows = await Promise.all([...changed].filter((id) => id.startsWith("g-")).map((id) => read(`/goals/${id}${suffix}`)));
  rows.forEach((goal) => goals.set(goal.goal_id, goal));
  questions = (await read("/interventions")).items;
  if (changed.has(selected)) await loadStory();
  draw(changed.has(selected));
}

function draw(detail = true) {
  drawGoals();
  drawNeeds();
  const typing = $("goal-detail").contains(document.activeElement) && document.activeElement.value;
  if (detail && !typing) drawDetail();
  $("place").textContent = `#${newest.toLocaleString("en")}`;
}

function follow() {
  if ($("main").hidden) return;
  let changed = new Set();
  let timer = null;
  let failed = false;
  const later = (pause) => {
    timer ??= setTimeout(catchUp, pause);
  };
  const catchUp = async () => {
    const batch = changed;
    [changed, timer] = [new Set(), null];
    try {
      await refresh(batch, newest);
      if (failed) say("");
      failed = false;
    } catch (error) {
      // What was not read yet is asked for again, or the page would show what is no longer so.
      failed = true;
      say(error.message);
      batch.forEach((id) => changed.add(id));
      later(RETRY_MS);
    }
  };
  const take = (text) => {
    const frame = JSON.parse(text);
    if (frame.type === "reset") return location.reload();
    if (!frame.sequence) return;
    newest = Math.max(newest, frame.sequence);
    changed.add(frame.goal_id);
    later(REFRESH_MS);
  };
  const opened = () => $("place").classList.remove("stale");
  const closed = () => {
    $("place").classList.add("stale");
    setTimeout(follow, RETRY_MS);
  };
  followLog(newest, take, opened, closed);
}

async function select() {
  selected = location.hash.slice(1);
  story.clear();
  try {
    if (selected && !goals.has(selected)) goals.set(selected, await read(`/goals/${selected}`));
    await loadStory();
  } catch (error) {
    say(error.message);
  }
  draw();
}

$("submit").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const requirements = form.requirements.value.split("\n").map((text) => text.trim()).filter(Boolean);
  try {
    form.dataset.key ||= once();
    const answer = await tell("/goals", { goal: form.goal.value, requirements }, form.dataset.key);
    delete form.dataset.key;
    form.reset();
    say("");
    await refresh(new Set([answer.goal_id]), answer.sequence);
    location.hash = answer.goal_id;
  } catch (error) {
    say(`The goal was not sent: ${error.message}`);
  }
});

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keep($("key").value.trim());
});

window.addEventListener("key-needed", askForKey);
$("api").hidden = Boolean(apiKey);
window.addEventListener("hashchange", select);
try {
  for (const goal of (await read("/goals?limit=100")).items) goals.set(goal.goal_id, goal);
  questions = (await read("/interventions")).items;
} catch (error) {
  say(error.message);
}
await select();
follow();
