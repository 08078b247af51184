export function ReviewList() {
  return <main id="main" />;
}
