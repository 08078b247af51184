export function GoalPage() {
  return <main id="main" />;
}
