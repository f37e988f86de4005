import { assert, assertEquals } from "@std/assert";
import { createCanvas2D } from "../../../envs/shared/canvas.ts";
import {
  cardName,
  cardValue,
  DECK,
  drawCard,
  drawCards,
  drawTable,
  findCard,
} from "../../../envs/shared/cards.ts";

const cardOf = (name: string) => findCard(name)!;

Deno.test("the deck has 52 cards, and each is found by its name", () => {
  assertEquals(new Set(DECK.map(cardName)).size, 52);
  for (const card of DECK) assertEquals(cardOf(cardName(card)), card);
  assertEquals(cardOf("DT"), { suit: "D", rank: "T" });
});

Deno.test("a name without a card gives none", () => {
  for (const name of ["", "X2", "H1", "2H", "h2", "H10", "HT ", 7, null, undefined, ["H2"]]) {
    assertEquals(findCard(name), undefined);
  }
});

Deno.test("faces count ten as published, 11 to 13 out of distribution, the ace one", () => {
  const names = ["SA", "S2", "S9", "ST", "SJ", "SQ", "SK"];
  assertEquals(names.map((name) => cardValue(cardOf(name))), [1, 2, 9, 10, 10, 10, 10]);
  assertEquals(names.map((name) => cardValue(cardOf(name), "11-13")), [1, 2, 9, 10, 11, 12, 13]);
});

function draw(paint: (canvas: ReturnType<typeof createCanvas2D>) => void): Uint8ClampedArray {
  const canvas = createCanvas2D(300, 300);
  drawTable(canvas);
  paint(canvas);
  return canvas.getImageData(0, 0, 300, 300).data;
}

const TABLE = [53, 101, 77];

/** The box around what is not table: left, top, right, bottom, in pixels and inclusive. */
function bounds(rgba: Uint8ClampedArray): number[] {
  const drawn = Array.from({ length: 90_000 }, (_, i) => i)
    .filter((i) => TABLE.some((value, channel) => rgba[i * 4 + channel] !== value));
  const columns = drawn.map((i) => i % 300), rows = drawn.map((i) => Math.floor(i / 300));
  const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b));
  const most = (values: number[]) => values.reduce((a, b) => Math.max(a, b));
  return [least(columns), least(rows), most(columns), most(rows)];
}

Deno.test("a card fills its box and nothing else, at every published size", () => {
  for (const width of [67, 70, 135]) {
    const card = width === 70 ? null : cardOf("SK");
    const box = bounds(draw((canvas) => drawCard(canvas, card, 5, 25, width)));
    assertEquals(box, [5, 25, 5 + width - 1, 25 + Math.round(1.4 * width) - 1]);
  }
});

Deno.test("a row starts its cards at the pitch, rounded down", () => {
  const row = draw((canvas) => {
    drawCards(canvas, ["C5", "S5", "S7", "C9"].map(cardOf), { x: 5, y: 103, width: 67, pitch: 221 / 3 });
  });
  const inMiddle = (x: number) => row[(150 * 300 + x) * 4] !== TABLE[0];
  const starts = Array.from({ length: 299 }, (_, x) => x + 1).filter((x) => inMiddle(x) && !inMiddle(x - 1));
  assertEquals(starts, [5, 78, 152, 226]);
});

Deno.test("no two cards look the same, down to the size that a model sees", () => {
  const seen = new Set(
    DECK.map((card) => draw((canvas) => drawCard(canvas, card, 5, 25, 14)).join()),
  );
  assertEquals(seen.size, 52);
});

Deno.test("red suits are red and black suits black", () => {
  for (const card of DECK) {
    const rgba = draw((canvas) => drawCard(canvas, card, 0, 0, 200));
    const corner = Array.from({ length: 60 * 40 }, (_, i) => (Math.floor(i / 40) * 300 + i % 40) * 4);
    const isRed = corner.some((at) =>
      [192, 36, 42].every((value, channel) => Math.abs(rgba[at + channel] - value) < 8)
    );
    assert(isRed === (card.suit === "D" || card.suit === "H"), cardName(card));
  }
});
