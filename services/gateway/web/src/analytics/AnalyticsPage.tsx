export function AnalyticsPage() {
  return <main id="main" />;
}
