const WORDS: readonly [RegExp, string][] = [
  [/^Expected `(?:str|bytes)` of length >= 1\b.*/, "It is empty"],
  [/^Expected `str` of length >= (\d+).*/, "Too short: at least $1 characters"],
  [/^Expected `str` of length <= (\d+).*/, "Too long: at most $1 characters"],
  [/^Expected `array` of length <= (\d+).*/, "Too many: at most $1"],
  [/^Expected `int(?: \| null)?`, got .*/, "Not a whole number"],
  [/^Expected `float(?: \| null)?`, got .*/, "Not a number"],
  [/^Expected `(?:int|float)` >= (\S+).*/, "At least $1"],
  [/^Expected `(?:int|float)` > (\S+).*/, "More than $1"],
  [/^Expected `(?:int|float)` <= (\S+).*/, "At most $1"],
];

/** What the hub says of a value in a body, in the words of a form. */
export function inWords(message: string): string {
  for (const [pattern, words] of WORDS) if (pattern.test(message)) return message.replace(pattern, words);
  return message;
}
