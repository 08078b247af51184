export function FleetPage() {
  return <main id="main" />;
}
