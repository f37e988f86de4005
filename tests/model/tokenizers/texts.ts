/** Texts of all scripts for tokenizers, drawn from a seed. */
import { Random } from "../../../envs/mod.ts";

/** Letters, marks and digits of many scripts: first and last code point of a stretch. */
const STRETCHES: readonly (readonly [number, number])[] = [
  [0x41, 0x5a],
  [0x61, 0x7a],
  [0x61, 0x7a],
  [0x30, 0x39],
  [0x21, 0x2f],
  [0x3a, 0x40],
  [0x5b, 0x60],
  [0x7b, 0x7e],
  [0xa0, 0xff],
  [0x100, 0x24f],
  [0x250, 0x2af],
  [0x300, 0x36f],
  [0x370, 0x3ff],
  [0x400, 0x4ff],
  [0x531, 0x58a],
  [0x5d0, 0x5ea],
  [0x600, 0x6ff],
  [0x700, 0x74a],
  [0x780, 0x7b1],
  [0x900, 0x97f],
  [0x980, 0x9fe],
  [0xa00, 0xa76],
  [0xb80, 0xbfa],
  [0xc00, 0xc7f],
  [0xd00, 0xd7f],
  [0xd80, 0xdf4],
  [0xe01, 0xe5b],
  [0xe81, 0xedf],
  [0xf00, 0xfda],
  [0x1000, 0x109f],
  [0x10a0, 0x10ff],
  [0x1100, 0x11ff],
  [0x1200, 0x137c],
  [0x13a0, 0x13fd],
  [0x1780, 0x17f9],
  [0x1800, 0x18aa],
  [0x1e00, 0x1fff],
  [0x2000, 0x206f],
  [0x20a0, 0x20bf],
  [0x2100, 0x218b],
  [0x2190, 0x23ff],
  [0x2500, 0x27bf],
  [0x3000, 0x303f],
  [0x3041, 0x30ff],
  [0x3105, 0x312f],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfb00, 0xfb4f],
  [0xfe00, 0xfe0f],
  [0xff00, 0xffef],
  [0x10400, 0x1044f],
  [0x1d400, 0x1d7ff],
  [0x1f1e6, 0x1f1ff],
  [0x1f300, 0x1f64f],
  [0x1f900, 0x1f9ff],
  [0x20000, 0x2a6df],
  [0xe0020, 0xe007f],
];

const PIECES = [
  " ",
  "  ",
  "   ",
  "\n",
  "\n\n",
  "\r\n",
  "\t",
  " \n ",
  "'s",
  "'LL",
  "'re",
  "'t ",
  "don't",
  "I'm",
  "...",
  "--",
  "://",
  "the ",
  " action",
  '"action": "',
  '"}',
  "{",
  "12345",
  " 7",
  "3.14",
  "\u200d",
  "\ufe0f",
  "\u00a0",
  "\u3000",
  "_",
  "#",
  "e\u0301",
  "\u1112\u1161\u11ab",
  "\u0915\u093c",
  "A\u030a",
  " ?",
  "/\n",
  "\u017f",
  "\u0085",
  "\ufeff",
  "\u0000",
];

/** A text of a seed: a few stretches of one script each, and pieces that tokenizers treat apart. */
export function drawText(seed: number): string {
  const random = new Random(seed);
  let text = "";
  for (let parts = 1 + random.integer(8); parts > 0; parts--) {
    if (random.integer(3) === 0) {
      text += PIECES[random.integer(PIECES.length)];
      continue;
    }
    const [first, last] = STRETCHES[random.integer(STRETCHES.length)];
    for (let length = 1 + random.integer(6); length > 0; length--) {
      text += String.fromCodePoint(first + random.integer(last - first + 1));
      if (random.integer(4) === 0) text += " ";
    }
  }
  return text;
}
