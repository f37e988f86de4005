/** Splits a text into the longest pieces that fit, from the left, as the compact tokenizer does. Throws where none does. */
export function greedyPieces(text: string, pieces: readonly string[]): string[] {
  const longestFirst = pieces.toSorted((a, b) => b.length - a.length);
  const found: string[] = [];
  for (let at = 0; at < text.length;) {
    const piece = longestFirst.find((piece) => text.startsWith(piece, at));
    if (piece === undefined) throw new Error(`No piece covers ${JSON.stringify(text.slice(at, at + 20))}`);
    found.push(piece);
    at += piece.length;
  }
  return found;
}
