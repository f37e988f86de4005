import { assert, assertEquals } from "@std/assert";
import { chooseRegisterTile, chooseSplitTile, rowLanes, termsOfSplit } from "../../../kernels/gpu/mod.ts";

Deno.test("long sums are split where a GPU would get few workgroups", () => {
  const splits = (rows: number, columns: number, terms: number, batch?: number) =>
    chooseSplitTile({ rows, columns, terms, batch }).SPLITS;
  // About 256 workgroups.
  assertEquals(splits(96, 288, 2304), 9);
  assertEquals(splits(96, 288, 2304, 2), 5);
  // At least 128 terms each, in whole steps.
  assertEquals(splits(96, 96, 2304), 12);
  assertEquals(splits(70, 33, 1100), 6);
  // About 512 of the larger tile.
  assertEquals(splits(384, 1152, 1024), 5);
  assertEquals(splits(1, 1, 512), 4);
  // Many workgroups, few terms, no product.
  assertEquals(splits(512, 256, 2304), 1);
  assertEquals(splits(96, 288, 2304, 5), 1);
  assertEquals(splits(96, 288, 511), 1);
  assertEquals(splits(0, 288, 2304), 1);
});

Deno.test("every split has terms, and all but the last have whole steps of them", () => {
  for (let terms = 512; terms < 5000; terms += 13) {
    for (const rows of [1, 100, 1000]) {
      const tile = chooseSplitTile({ rows, columns: 64, terms });
      const part = termsOfSplit(terms, tile);
      assert(part % tile.DEPTH === 0 && Math.ceil(terms / part) === tile.SPLITS, `${terms} in ${part}`);
      assert(tile.SPLITS === 1 || part >= 128, `${terms} in ${part}`);
    }
  }
});

Deno.test("a register tile covers a product with little padding", () => {
  const choose = (rows: number, columns: number) =>
    chooseRegisterTile({ rows, columns }, Infinity, { threads: 2 });
  assertEquals(choose(1536, 256), { ROWS: 32, J: 2 });
  assertEquals(choose(1152, 96), { ROWS: 48, J: 1 });
  assertEquals(choose(16, 1024), { ROWS: 16, J: 2 });
  assertEquals(choose(1, 4096), { ROWS: 8, J: 2 });
});

Deno.test("vectors of 16 words make tiles twice as wide, and few columns then take one tile across", () => {
  const choose = (columns: number, lanes: number) =>
    chooseRegisterTile({ rows: 128, columns }, Infinity, { threads: 2, lanes });
  assertEquals(choose(64, 8), { ROWS: 32, J: 2 });
  assertEquals(choose(64, 16), { ROWS: 32, J: 1 });
  assertEquals(choose(128, 16), { ROWS: 32, J: 2 });
});

Deno.test("a register tile has whole loads of 8 rows, and no more rows than its kernel can hold", () => {
  for (const rows of [1, 31, 33, 96, 1000]) {
    for (const columns of [4, 32, 96, 500]) {
      for (const maxRows of [16, 32, Infinity]) {
        const { ROWS, J } = chooseRegisterTile({ rows, columns }, maxRows);
        assert(ROWS <= maxRows && ROWS % 8 === 0 && J >= 1, `${ROWS} x ${J}`);
      }
    }
  }
});

Deno.test("the lanes of a row stay in one subgroup up to 8 elements each", () => {
  assertEquals(rowLanes(24, 32), { LANES: 8, ROWS: 8, SUBGROUP: true });
  assertEquals(rowLanes(256, 32), { LANES: 32, ROWS: 2, SUBGROUP: true });
  assertEquals(rowLanes(257, 32), { LANES: 128, ROWS: 1, SUBGROUP: false });
  assertEquals(rowLanes(24, 0), { LANES: 8, ROWS: 8, SUBGROUP: false });
  assertEquals(rowLanes(24, 4), { LANES: 8, ROWS: 8, SUBGROUP: false });
});

Deno.test("all elements of a row have a lane, and a workgroup at most 256", () => {
  for (const subgroupSize of [0, 8, 32, 64]) {
    for (let elements = 1; elements < 5000; elements += 7) {
      const { LANES, ROWS, SUBGROUP } = rowLanes(elements, subgroupSize);
      assert(LANES * ROWS >= 64 && LANES * ROWS <= 256, `${LANES} x ${ROWS}`);
      assert(!SUBGROUP || (LANES <= subgroupSize && elements <= 8 * LANES), `${elements} on ${LANES}`);
    }
  }
});
