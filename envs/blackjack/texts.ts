/** What Blackjack asks, and the words of its thoughts. */

export const TASK = [
  "You are a blackjack player.",
  " You are observing the current game state, you can choose between ['stand', 'hit'].",
  " Your response should be a valid json file in the following format: \n{\n",
] as const;
export const COT_FORMAT =
  ' "thoughts": "{first describe your total points and the dealer\'s total points then think about which action to choose}", \n';
export const ACTION_FORMAT = '"action": "stand" or "hit" \n}';

// A thought: {"thoughts": "player 2 7 A is soft 20, dealer 5, stand is better", "action": "stand"}
export const THOUGHTS_KEY = '{"thoughts": "player';
export const TOTAL = " is";
export const SOFT = " soft";
export const DEALER = ", dealer";
export const PLANS = [", stand is better", ", hit is better"] as const;

export const THOUGHT =
  /player((?: (?:A|\d{1,2}))+) is (soft )?(\d{1,2}), dealer (A|\d{1,2}), (stand|hit) is better/;
export const STATED_CARDS = /player((?: (?:A|\d{1,2}))+)/;
export const STATED_DEALER = /, dealer (A|\d{1,2})\b/;
export const ANY_FIELD = /"thoughts":/;

export function spell(value: number): string {
  return value === 1 ? " A" : ` ${value}`;
}

export function unspell(word: string): number {
  return word === "A" ? 1 : Number(word);
}
