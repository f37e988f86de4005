/** The environments that come with ponder, a row each: its definition, and what else of it is public. */
export * from "./blackjack/blackjack.ts";
export * from "./household/household.ts";
export * from "./number_line/number_line.ts";
export * from "./points/ez_points.ts";
export * from "./points/points24.ts";
