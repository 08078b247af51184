// What a clock may be off without anybody noticing; answers take time, and their date has whole seconds.
const UNNOTICED_MS = 3_000;

let ahead = 0;

/** Now by the hub's clock, in ms since 1970: what happened there is as old as it says, however this machine's is set. */
export const hubNow = (): number => Date.now() + ahead;

/** The hub has dated an answer; `asked` is when it was asked for, by this machine's clock. */
export function noteDate(date: string | null, asked: number): void {
  const said = Date.parse(date ?? "");
  if (Number.isNaN(said)) return;
  const [early, late] = [said - Date.now(), said + 1_000 - asked];
  // Between these it may lie; what is known already and fits is left alone, so that no time jumps.
  if (ahead >= early - UNNOTICED_MS && ahead <= late + UNNOTICED_MS) return;
  const found = (early + late) / 2;
  ahead = Math.abs(found) < UNNOTICED_MS ? 0 : found;
}
