export function LettersPage() {
  return <main id="main" />;
}
