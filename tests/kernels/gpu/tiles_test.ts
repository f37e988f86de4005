import { assert, assertEquals } from "@std/assert";
import { chooseRegisterTile } from "../../../kernels/gpu/mod.ts";

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
