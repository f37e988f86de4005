// staging   tiles of two operands in workgroup memory, as 4x4 blocks: what tiled products share
// needs     Staged, a vector of four; X, Y, I, J, DEPTH, SLICES, TRANSPOSE_A, TRANSPOSE_B, constants
// source    (ours)
const THREADS = X * Y * SLICES;
// Sides of the tile, in vec4s.
const A_QUADS = I * Y;
const B_QUADS = J * X;
// 4x4 blocks that a step stages of A; those of B follow.
const A_BLOCKS = A_QUADS * DEPTH / 4;

// (DEPTH, quads): four rows of op(A), or four columns of op(B), at one term.
var<workgroup> A_tile: array<array<array<Staged, A_QUADS>, 4>, DEPTH / 4>;
var<workgroup> B_tile: array<array<array<Staged, B_QUADS>, 4>, DEPTH / 4>;

// Where block i of a tile lies: x is the quad, y a quarter of its first term. Neighbours read along stored rows.
fn blockPlace(i: u32, quads: u32, runs_along_terms: bool) -> vec2u {
  return select(vec2u(i % quads, i / quads), vec2u(i / (DEPTH / 4), i % (DEPTH / 4)), runs_along_terms);
}

// Where quad x lies in the rows of block row y: neighbours that store whole columns of blocks hit different banks.
fn swizzle(x: u32, y: u32) -> u32 {
  return x ^ (2 * y % 8);
}

fn stageBlock(block: u32, words: mat4x4f) {
  if (block < A_BLOCKS) {
    let place = blockPlace(block, A_QUADS, !TRANSPOSE_A);
    //@for q in 0..4
    A_tile[place.y][$q][swizzle(place.x, place.y)] = Staged(words[$q]);
    //@end
  } else {
    let place = blockPlace(block - A_BLOCKS, B_QUADS, TRANSPOSE_B);
    //@for q in 0..4
    B_tile[place.y][$q][swizzle(place.x, place.y)] = Staged(words[$q]);
    //@end
  }
}
