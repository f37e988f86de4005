import { assert, assertEquals } from "@std/assert";
import { chooseRegisterTile, rowLanes } from "../../../kernels/gpu/mod.ts";

Deno.test("a register tile covers a product with little padding", () => {
  assertEquals(chooseRegisterTile({ rows: 1536, columns: 256 }), { ROWS: 32, J: 2 });
  assertEquals(chooseRegisterTile({ rows: 1152, columns: 96 }), { ROWS: 48, J: 1 });
  assertEquals(chooseRegisterTile({ rows: 16, columns: 1024 }), { ROWS: 16, J: 2 });
  assertEquals(chooseRegisterTile({ rows: 1, columns: 4096 }), { ROWS: 8, J: 2 });
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
