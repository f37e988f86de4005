import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import { makeEnv } from "../../envs/mod.ts";
import { contactSheet } from "../../envs/sheet.ts";

Deno.test("a contact sheet holds the frames of each environment, row by row", () => {
  const envs = ["NumberLine", "Blackjack"].map((name) => makeEnv(name));
  const sheet = decode(contactSheet(envs, { columns: 3, seed: 4 }));
  assertEquals([sheet.width, sheet.height, sheet.channels], [12 + 3 * 312, 2 * 352, 3]);
  for (const [row, env] of envs.entries()) {
    const { data } = env.reset({ seed: 4 }).observation;
    for (let y = 0; y < 300; y++) {
      const from = ((row * 352 + 40 + y) * sheet.width + 12) * 3;
      assertEquals(sheet.data.slice(from, from + 900), data.slice(y * 900, (y + 1) * 900));
    }
  }
});

Deno.test("the same seed gives the same sheet, another one another", () => {
  const sheet = (seed: number) => contactSheet([makeEnv("Blackjack")], { columns: 2, seed });
  assertEquals(sheet(1), sheet(1));
  const other = sheet(2);
  assert(sheet(1).some((value, i) => value !== other[i]));
});

Deno.test("an illegal number of columns is named", () => {
  for (const columns of [0, 51, 1.5, NaN]) {
    assertThrows(() => contactSheet([], { columns }), RangeError, `columns is ${columns}`);
  }
});
