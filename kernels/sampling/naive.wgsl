// sampling  tokens[b,step] ~ softmax(logits[b,:] / temperature) by inverse CDF in index order, or its first argmax
// shapes    logits (B,V)  random (B,2) u32 [seed, counter]  done,current,position (B) u32
//           tokens (B,maxSteps) u32  logprobs,entropies (B,maxSteps)
// bindings  0 logits read, 1 random read, 2 done write, 3 tokens write, 4 logprobs write, 5 entropies write,
//           6 current write, 7 position write, 8 {B,V,step,maxSteps,isGreedy,endId,padId,temperature} uniform
// work      one invocation per row, three walks over its logits, 8 or 16 a round (llvmpipe ends all loops of an
//           invocation after 65535 rounds in sum: V up to 174000); f32
// draw      Weights are added by eights, these in blocks of BLOCK, and those to the total, so that a tail of small weights
//           counts beside a large one. One uniform number picks the block by the same sums that made the total, a second
//           one the token by the block's own sums; a row of one block needs the first alone. When rounding leaves eight
//           weights short of what is to be reached, the largest of them is taken: never one of no probability
// values    a logit of -infinity has probability 0; NaN, +infinity, or nothing but -infinity make the row's logprob and
//           entropy NaN (its token is then void, but below V)
// traffic   4BV + 40B bytes (second and third read of the logits from cache)
// source    Threefry-2x32, 20 rounds: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011)

struct Params { B: u32, V: u32, step: u32, maxSteps: u32, isGreedy: u32, endId: u32, padId: u32, temperature: f32 }

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> random: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> done: array<u32>;
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(4) var<storage, read_write> logprobs: array<f32>;
@group(0) @binding(5) var<storage, read_write> entropies: array<f32>;
@group(0) @binding(6) var<storage, read_write> current: array<u32>;
@group(0) @binding(7) var<storage, read_write> position: array<u32>;
@group(0) @binding(8) var<uniform> params: Params;

fn rotateLeft(x: u32, bits: u32) -> u32 { return (x << bits) | (x >> (32u - bits)); }

fn fourRounds(x: vec2u, bits: vec4u) -> vec2u {
  var y = x;
  //@for i in 0..4
  y.x += y.y;
  y.y = rotateLeft(y.y, bits[$i]) ^ y.x;
  //@end
  return y;
}

// Two random words: the same as threefry2x32([seed, 0], [counter, 0]) in uniform.ts.
fn randomWords(seed: u32, counter: u32) -> vec2u {
  // The key is (seed, 0), so its third word is the parity constant ^ seed ^ 0.
  let parity = 0x1bd11bdau ^ seed;
  var x = vec2u(counter + seed, 0u);
  x = fourRounds(x, vec4u(13, 15, 26, 6)) + vec2u(0u, parity + 1u);
  x = fourRounds(x, vec4u(17, 29, 16, 24)) + vec2u(parity, seed + 2u);
  x = fourRounds(x, vec4u(13, 15, 26, 6)) + vec2u(seed, 0u + 3u);
  x = fourRounds(x, vec4u(17, 29, 16, 24)) + vec2u(0u, parity + 4u);
  return fourRounds(x, vec4u(13, 15, 26, 6)) + vec2u(parity, seed + 5u);
}

// In [0, 1), 24 bits.
fn unit(word: u32) -> f32 { return f32(word >> 8u) * exp2(-24.0); }
fn uniformFromCounter(seed: u32, counter: u32) -> f32 { return unit(randomWords(seed, counter).x); }

// Words of a row that are one block.
const BLOCK = 512u;

// Sums of w and of x w over the words from `first` to before `end`: w = e^x, x = (logit - largest) scale.
fn blockSums(first: u32, end: u32, largest: f32, scale: f32) -> vec2f {
  var sums = vec2f();
  for (var octet = first; octet < end; octet += 8u) {
    // A sum of its own for every round: shorter chains of roundings.
    var weights = 0.0;
    var products = 0.0;
    //@for q in 0..8
    if (octet + $qu < end) {
      let shifted = (logits[octet + $qu] - largest) * scale;
      let weight = exp(shifted);
      weights += weight;
      // A logit of -infinity has weight 0 and must not turn the sum into NaN.
      products += select(0.0, shifted * weight, weight > 0.0);
    }
    //@end
    sums += vec2f(weights, products);
  }
  return sums;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let b = id.x;
  if (b >= params.B) { return; }
  let out = b * params.maxSteps + params.step;
  if (done[b] != 0u) {
    tokens[out] = params.padId;
    logprobs[out] = 0.0;
    entropies[out] = 0.0;
    return;
  }

  // Copied out of the loops: software adapters read parameters from a storage buffer, anew each round.
  let V = params.V;
  let start = b * V;
  let scale = 1.0 / params.temperature;
  var largest = logits[start];
  var argmax = 0u;
  for (var word = 0u; word < V; word += 16u) {
    //@for q in 0..16
    {
      let v = min(word + $qu, V - 1u);
      let logit = logits[start + v];
      if (logit > largest) {
        largest = logit;
        argmax = v;
      }
    }
    //@end
  }
  var total = 0.0;
  var weighted = 0.0;
  for (var block = 0u; block < V; block += BLOCK) {
    let sums = blockSums(start + block, start + min(block + BLOCK, V), largest, scale);
    total += sums.x;
    weighted += sums.y;
  }

  var token = argmax;
  if (params.isGreedy == 0u) {
    let seed = random[b];
    var threshold = uniformFromCounter(seed.x, seed.y + params.step) * total;
    var first = 0u;
    // Strictly above, here and below: what has probability 0 never raises a sum past the threshold.
    if (V > BLOCK) {
      var sum = 0.0;
      for (var block = 0u; block < V; block += BLOCK) {
        let part = blockSums(start + block, start + min(block + BLOCK, V), largest, scale).x;
        sum += part;
        if (sum > threshold) {
          first = block;
          threshold = unit(randomWords(seed.x, seed.y + params.step).y) * part;
          break;
        }
      }
    }
    let end = min(first + BLOCK, V);
    var before = 0.0;
    for (var octet = first; octet < end; octet += 8u) {
      let sum = before + blockSums(start + octet, start + min(octet + 8u, end), largest, scale).x;
      if (sum > threshold) {
        let rest = threshold - before;
        var within = 0.0;
        var heaviest = 0.0;
        //@for q in 0..8
        if (octet + $qu < end && within <= rest) {
          let weight = exp((logits[start + octet + $qu] - largest) * scale);
          within += weight;
          if (within > rest || weight > heaviest) {
            token = octet + $qu;
            heaviest = weight;
          }
        }
        //@end
        break;
      }
      before = sum;
    }
  }

  let logTotal = log(total);
  tokens[out] = token;
  logprobs[out] = (logits[start + token] - largest) * scale - logTotal;
  entropies[out] = logTotal - weighted / total;
  current[b] = token;
  position[b] += 1u;
  if (token == params.endId) { done[b] = 1u; }
}
