/**
 * Published success rates, for comparison. Source unless said otherwise: Zhai et al. 2024 (arXiv:2405.10292), tables 1
 * and 2; the number reported there is the peak of a moving average over training episodes.
 *
 * @module
 */

/** Rows of [system, size, success in percent] by environment. */
export const published: Readonly<
  Record<string, readonly (readonly [system: string, size: string, success: string])[]>
> = {
  NumberLine: [
    ["RL4VLM", "7B", "89.4"],
    ["RL4VLM without chain of thought", "7B", "26.9"],
    ["CNN + RL", "-", "87.1"],
    ["GPT4-V", "-", "65.5"],
    ["Gemini", "-", "82.5"],
    ["LLaVA after SFT", "7B", "24.8"],
    ["uniform random, return above 0 (exact)", "-", "28.3"],
  ],
  EZPoints: [
    ["RL4VLM", "7B", "50.0"],
    ["RL4VLM without chain of thought", "7B", "29.9"],
    ["CNN + RL", "-", "0"],
    ["GPT4-V", "-", "10.5"],
    ["Gemini", "-", "2.0"],
    ["LLaVA after SFT", "7B", "23.0"],
  ],
  Points24: [
    ["RL4VLM", "7B", "2.3"],
    ["RL4VLM without chain of thought", "7B", "0"],
    ["CNN + RL", "-", "0"],
    ["GPT4-V", "-", "0"],
    ["Gemini", "-", "0"],
    ["LLaVA after SFT", "7B", "2.6"],
  ],
  Blackjack: [
    ["RL4VLM", "7B", "40.2"],
    ["RL4VLM without chain of thought", "7B", "40.4"],
    ["CNN + RL", "-", "38.8"],
    ["GPT4-V", "-", "25.5"],
    ["Gemini", "-", "30.0"],
    ["LLaVA after SFT", "7B", "23.1"],
    ["optimal policy (exact)", "-", "43.16"],
  ],
};
