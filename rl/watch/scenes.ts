/**
 * Plays recorded episodes again without a policy, from their deals and actions: the frames, what the solver would have done,
 * and what each action gave away.
 *
 * @module
 */
import type { Environment, EnvironmentDefinition } from "../../envs/mod.ts";
import { encodePicture } from "../image.ts";
import type { Recorded, RecordedTurn } from "../run/recorded.ts";
import type { SceneTold } from "./wire.ts";

/** How a run's environments are made. */
export interface Stage {
  readonly environment: EnvironmentDefinition;
  /** Settings of the environment in training, and in evaluation. */
  readonly training: Readonly<Record<string, unknown>>;
  readonly evaluation: Readonly<Record<string, unknown>>;
  /** Discount of action values. */
  readonly gamma: number;
}

/**
 * Plays an episode of a recording again; null when the environment does not follow its deal, so that a state differs from
 * the one that was recorded.
 */
export function playScene(recorded: Recorded, episode: number, stage: Stage): SceneTold | null {
  const told = recorded.episodes.find((each) => each.episode === episode);
  if (told === undefined) return null;
  const env = stage.environment.make(
    recorded.header.stage === "rl" ? stage.training : stage.evaluation,
  );
  try {
    env.reset({ seed: told.deal });
    for (const [action, isRandom] of told.before) {
      if (isRandom) env.randomAction();
      env.step(action);
    }
    const turns: SceneTold["turns"][number][] = [];
    for (const turn of recorded.turns) {
      if (turn.kind !== "turn" || turn.episode !== episode) continue;
      if (env.stateKey() !== turn.state) return null;
      turns.push(turnOf(env, turn, stage.gamma));
      if (!turn.parsed) env.randomAction();
      env.step(turn.action);
    }
    return { turns };
  } catch {
    return null; // an action that this environment does not have
  }
}

function turnOf(env: Environment, turn: RecordedTurn, discount: number): SceneTold["turns"][number] {
  const { observation } = env.current();
  const values = env.actionValues?.({ discount });
  const solved = env.solve?.();
  return {
    frame: base64(encodePicture(observation)),
    best: solved === undefined ? null : env.actions[solved],
    regret: values === undefined ? null : Math.max(...values) - values[turn.action],
  };
}

/** Bytes as base64. */
export function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}
