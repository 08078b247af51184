export function SubmitPage() {
  return <main id="main" />;
}
