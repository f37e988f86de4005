/** Shortest ways to do a task, if the place of everything is known. */

import { TREATMENT_OF } from "./rooms.ts";
import { commandIndex, NONE, objectsOf, receptacleKind, TREATMENTS } from "./vocabulary.ts";
import { isTreated, type World } from "./world.ts";

/** A walk through a copy of the world, command by command. */
class Walk {
  readonly world: World;
  readonly commands: number[] = [];

  constructor(world: World) {
    this.world = world.clone();
  }

  do(command: number): void {
    this.world.apply(command);
    this.commands.push(command);
  }

  goTo(receptacle: number): void {
    if (this.world.location !== receptacle) this.do(commandIndex("go to", NONE, receptacle));
  }

  open(): void {
    const { world } = this;
    if (!world.isOpen(world.location)) this.do(commandIndex("open", NONE, world.location));
  }

  putHere(): void {
    this.open();
    this.do(commandIndex("put", this.world.held, this.world.location));
  }

  /** Takes `object` in hand. Anything else in hand is put down first, here or at the object's place. */
  fetch(object: number, dropsLate: boolean): void {
    const { world } = this;
    if (world.held === object) return;
    if (world.held !== NONE && !dropsLate) this.putHere();
    const receptacle = world.placeOf(object)!;
    this.goTo(receptacle);
    if (world.held !== NONE) this.putHere();
    this.open();
    this.do(commandIndex("take", object, receptacle));
  }
}

/** A shortest list of commands that reaches the goal. */
export function shortestPlan(world: World): readonly number[] {
  const { task, room, lamp } = world.deal;
  const objects = objectsOf(task.object).filter((object) => world.placeOf(object) !== null);
  const treatment = TREATMENT_OF[task.kind];
  const walks: Walk[] = [];
  for (const dropsLate of [false, true]) {
    const begin = (object: number) => {
      const walk = new Walk(world);
      walks.push(walk);
      walk.fetch(object, dropsLate);
      return walk;
    };
    if (task.target === null) {
      for (const object of objects) {
        const walk = begin(object);
        walk.goTo(lamp);
        if (!walk.world.isLampOn) walk.do(commandIndex("use"));
      }
      continue;
    }
    for (
      const target of room.receptacles.filter((receptacle) => receptacleKind(receptacle) === task.target)
    ) {
      const away = objects.filter((object) => world.placeOf(object) !== target);
      if (task.kind === "pick_two_obj_and_place") {
        for (const order of away.length > 1 ? [away, away.toReversed()] : [away]) {
          const walk = begin(order[0]);
          for (const object of order) {
            walk.fetch(object, dropsLate);
            walk.goTo(target);
            walk.putHere();
          }
        }
        continue;
      }
      for (const object of objects) {
        const walk = begin(object);
        if (treatment !== undefined && !isTreated(walk.world.conditionOf(object), treatment)) {
          const { appliance } = TREATMENTS[treatment];
          walk.goTo(appliance);
          walk.do(commandIndex(treatment, object, appliance));
        }
        walk.goTo(target);
        walk.putHere();
      }
    }
  }
  return walks.map(({ commands }) => commands).reduce((best, other) =>
    other.length < best.length ? other : best
  );
}
