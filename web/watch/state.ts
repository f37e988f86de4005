/// <reference lib="dom" />
/**
 * What the page shows: which runs, which view, where in it; kept in the address, so that a link shows the same.
 *
 * @module
 */
import type { RecordingTold, RunListed, RunTold } from "../../rl/watch/wire.ts";
import { readLink, type View } from "./link.ts";
import { RunMetrics } from "./metrics.ts";
import type { Source } from "./source.ts";

/** Colours of runs that are shown together, as the style sheet has them in light and dark. */
const COLORS = Array.from({ length: 8 }, (_, i) => `var(--run-${i + 1})`);

/** A run that is shown. */
export interface ShownRun {
  readonly id: string;
  told: RunTold;
  readonly metrics: RunMetrics;
  recording: RecordingTold;
  /** As CSS has it. */
  color: string;
}

/** What is shown, and where it comes from. */
export class State {
  readonly source: Source;
  listed: RunListed[] = [];
  readonly #runs = new Map<string, ShownRun>();
  readonly #colors = new Map<string, string>();
  view: View = "trend";
  /** Ids of the runs that are shown; the first is looked into. */
  chosen: string[] = [];
  /** Iteration that is looked at; the newest when null. */
  iteration: number | null = null;
  /** Recorded turn that is looked at. */
  place: { file: string; episode: number; turn: number } | null = null;

  /** Called when the recording of a run has been listed. */
  onRecording: () => void = () => {};

  constructor(source: Source) {
    this.source = source;
  }

  /** The runs that are shown and loaded. */
  get shown(): ShownRun[] {
    return this.chosen.flatMap((id) => {
      const run = this.#runs.get(id);
      if (run !== undefined) run.color = this.#colors.get(id) ?? run.color;
      return run ?? [];
    });
  }

  /** The run that is looked into. */
  get run(): ShownRun | null {
    return this.shown[0] ?? null;
  }

  /** Reads the list of runs, and chooses the one that changed last if none is chosen. */
  async refreshList(): Promise<void> {
    this.listed = await this.source.list();
    this.chosen = this.chosen.filter((id) => this.listed.some((run) => run.id === id));
    if (this.chosen.length > 0 || this.listed.length === 0) return;
    const [latest] = this.listed.toSorted((a, b) => b.changedMs - a.changedMs);
    this.chosen = [latest.id];
  }

  /** Loads what is new of the chosen runs; returns whether anything was. */
  async refreshRuns(): Promise<boolean> {
    for (const id of this.chosen) this.#giveColor(id);
    const changed = await Promise.all(this.chosen.map((id) => this.#refresh(id)));
    return changed.some(Boolean);
  }

  /** A run keeps its colour for as long as it is shown. */
  #giveColor(id: string): void {
    for (const known of this.#colors.keys()) if (!this.chosen.includes(known)) this.#colors.delete(known);
    if (this.#colors.has(id)) return;
    const used = new Set(this.#colors.values());
    this.#colors.set(id, COLORS.find((each) => !used.has(each)) ?? COLORS[this.#colors.size % COLORS.length]);
  }

  async #refresh(id: string): Promise<boolean> {
    const { source } = this;
    const known = this.#runs.get(id);
    if (known === undefined) {
      const [told, part] = await Promise.all([source.run(id), source.metrics(id, 0)]);
      const recording: RecordingTold = { episodes: [], iterations: [], faults: [] };
      const run: ShownRun = { id, told, recording, metrics: new RunMetrics(), color: COLORS[0] };
      run.metrics.add(part.text);
      run.metrics.next = part.next;
      this.#runs.set(id, run);
      // A long recording takes a moment to list, and the trend needs none of it.
      void source.recording(id).then((recording) => {
        run.recording = recording;
        this.onRecording();
      }, () => {});
      return true;
    }
    if (!source.isLive) return false;
    const listed = this.listed.find((run) => run.id === id);
    const isSame = listed !== undefined && listed.changedMs === known.told.changedMs &&
      listed.status === known.told.status;
    if (isSame) return false;
    const part = await source.metrics(id, known.metrics.next);
    if (part.start < known.metrics.next) {
      // It was resumed from an earlier checkpoint, or begun again.
      this.#runs.delete(id);
      return await this.#refresh(id);
    }
    [known.told, known.recording] = await Promise.all([source.run(id), source.recording(id)]);
    known.metrics.add(part.text);
    known.metrics.next = part.next;
    return true;
  }

  /** Reads the address. Returns what is wrong with it; what makes no sense is left out. */
  readAddress(): string | null {
    const { view, iteration, place, runs, fault } = readLink(location.hash);
    this.view = view;
    if (runs !== null) this.chosen = [...runs];
    if (view === "iteration") this.iteration = iteration;
    if (view === "episodes") this.place = place;
    return fault;
  }

  /** Where things are, as an address. */
  get address(): string {
    const { place } = this;
    const part = this.view === "iteration" && this.iteration !== null
      ? `/${this.iteration}`
      : this.view === "episodes" && place !== null
      ? `/${place.file}/${place.episode}/${place.turn}`
      : "";
    return `#/${this.view}${part}?runs=${this.chosen.map(encodeURIComponent).join(",")}`;
  }

  /** Writes the address. */
  writeAddress(): void {
    if (location.hash !== this.address) history.replaceState(null, "", this.address);
  }
}
