import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { GoalsPage } from "./goals/GoalsPage";
import { NotFound } from "./shell/NotFound";
import { Shell } from "./shell/Shell";

type Words = Record<string, string | undefined>;

/** Only known names reach a page from the address, and only as texts. */
const only =
  (...names: string[]) =>
  (search: Record<string, unknown>): Words =>
    Object.fromEntries(
      names.flatMap((name) => (search[name] === undefined ? [] : [[name, String(search[name])]])),
    );

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const goals = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: GoalsPage,
  validateSearch: only("state", "q", "view"),
});
const submit = createRoute({
  getParentRoute: () => root,
  path: "/new",
  validateSearch: only("goal"),
  component: lazyRouteComponent(() => import("./submit/SubmitPage"), "SubmitPage"),
});
// What is typed about one goal is nothing about the next one that the same page shows.
const ofOneGoal = ({ params }: { params: { goalId: string } }) => params;
const goal = createRoute({
  getParentRoute: () => root,
  path: "/goals/$goalId",
  remountDeps: ofOneGoal,
  validateSearch: only("tab", "task", "panel", "event", "find", "only", "pane", "at", "against"),
  component: lazyRouteComponent(() => import("./goal/GoalPage"), "GoalPage"),
});
const inbox = createRoute({
  getParentRoute: () => root,
  path: "/inbox",
  validateSearch: only("item"),
  component: lazyRouteComponent(() => import("./inbox/InboxPage"), "InboxPage"),
});
const reviews = createRoute({
  getParentRoute: () => root,
  path: "/review",
  component: lazyRouteComponent(() => import("./review/ReviewList"), "ReviewList"),
});
const review = createRoute({
  getParentRoute: () => root,
  path: "/review/$goalId",
  remountDeps: ofOneGoal,
  validateSearch: only("file", "task"),
  component: lazyRouteComponent(() => import("./review/ReviewPage"), "ReviewPage"),
});
const plan = createRoute({
  getParentRoute: () => root,
  path: "/plan/$goalId",
  remountDeps: ofOneGoal,
  component: lazyRouteComponent(() => import("./plan/PlanPage"), "PlanPage"),
});
const letters = createRoute({
  getParentRoute: () => root,
  path: "/dead-letters",
  validateSearch: only("by", "item"),
  component: lazyRouteComponent(() => import("./letters/LettersPage"), "LettersPage"),
});
const fleet = createRoute({
  getParentRoute: () => root,
  path: "/fleet",
  component: lazyRouteComponent(() => import("./fleet/FleetPage"), "FleetPage"),
});
const analytics = createRoute({
  getParentRoute: () => root,
  path: "/analytics",
  validateSearch: only("days"),
  component: lazyRouteComponent(() => import("./analytics/AnalyticsPage"), "AnalyticsPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([goals, submit, goal, inbox, reviews, review, plan, letters, fleet, analytics]),
  defaultPreload: false,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
