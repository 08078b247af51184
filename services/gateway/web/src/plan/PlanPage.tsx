export function PlanPage() {
  return <main id="main" />;
}
