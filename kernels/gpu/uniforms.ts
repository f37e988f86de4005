/**
 * Parameters of launches: one buffer, in which each distinct set of them is written once.
 *
 * @module
 */
import type { ParamValues } from "./bindings.ts";
import type { Field } from "./declarations.ts";

/** Bytes of all uniforms, 256 for each distinct set of parameters. */
const UNIFORM_BUFFER_BYTES = 1 << 22;
/** Room that the uniforms of one dispatch never exceed. */
const DISPATCH_UNIFORM_BYTES = 4096;

/** Where parameters go: the fields of a shader's uniform, and the file that messages name. */
export interface UniformLayout {
  /** The kernel's file. */
  readonly file: string;
  /** The fields, in the struct's order. */
  readonly fields: readonly Field[];
  /** The types of the fields: layouts of the same types share what is written. */
  readonly types: string;
}

/** Sets of parameters, each in the order and the types of a shader's struct. */
export class Uniforms {
  readonly #device: GPUDevice;
  readonly #buffer: GPUBuffer;
  readonly #offsets = new Map<string, number>();
  #end = 0;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#buffer = device.createBuffer({
      label: "uniforms",
      size: UNIFORM_BUFFER_BYTES,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST,
    });
  }

  /** Whether there may be no room for another launch's parameters. */
  get isFull(): boolean {
    return this.#end + DISPATCH_UNIFORM_BYTES > UNIFORM_BUFFER_BYTES;
  }

  /**
   * The offset in bytes of a uniform with these contents, written on first use.
   *
   * @throws {TypeError} when the names are not those of the layout's fields.
   * @throws {RangeError} when a value is none of its field's type.
   */
  offsetOf(layout: UniformLayout, values: ParamValues): number {
    requireNames(layout, values);
    let key = layout.types;
    for (const { name } of layout.fields) key += ` ${Number(values[name])}`;
    const known = this.#offsets.get(key);
    if (known !== undefined) return known;
    const data = pack(layout, values);
    const offset = this.#end;
    this.#end += Math.ceil(data.byteLength / 256) * 256;
    this.#device.queue.writeBuffer(this.#buffer, offset, data);
    this.#offsets.set(key, offset);
    return offset;
  }

  /** What a bind group takes for these contents. */
  resource(layout: UniformLayout, values: ParamValues): GPUBindingResource {
    return {
      buffer: this.#buffer,
      offset: this.offsetOf(layout, values),
      size: bytesOf(layout.fields.length),
    };
  }

  /** Starts over; work that reads the old contents must have been submitted, and their bind groups be forgotten. */
  forget(): void {
    this.#offsets.clear();
    this.#end = 0;
  }
}

/** Every launch passes here: the common case allocates nothing. */
function requireNames({ file, fields }: UniformLayout, values: ParamValues): void {
  let count = 0;
  for (const _ in values) count++;
  let isComplete = count === fields.length;
  for (const { name } of fields) isComplete &&= values[name] !== undefined;
  if (isComplete) return;
  const takes = fields.map(({ name, type }) => `${name}: ${type}`).join(", ");
  const missing = fields.find(({ name }) => values[name] === undefined);
  if (missing !== undefined) {
    throw new TypeError(`Cannot launch ${file}: parameter ${missing.name} is missing, pass { ${takes} }`);
  }
  const extra = Object.keys(values).find((name) => fields.every((field) => field.name !== name));
  throw new TypeError(`Cannot launch ${file}: it has no parameter ${extra}, pass { ${takes} }`);
}

const LIMITS = { u32: [0, 2 ** 32 - 1], i32: [-(2 ** 31), 2 ** 31 - 1] } as const;

/** The bytes of the struct: every field is a word. */
function pack({ file, fields }: UniformLayout, values: ParamValues): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(bytesOf(fields.length)));
  for (const [index, { name, type }] of fields.entries()) {
    const value = Number(values[name]);
    if (type === "f32") {
      view.setFloat32(4 * index, value, true);
      continue;
    }
    const [least, most] = LIMITS[type];
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new RangeError(
        `Cannot launch ${file}: parameter ${name} is ${value}, use a whole number from ${least} to ${most}`,
      );
    }
    if (type === "u32") view.setUint32(4 * index, value, true);
    else view.setInt32(4 * index, value, true);
  }
  return view.buffer as ArrayBuffer;
}

/** A uniform's size: whole 16-byte units. */
const bytesOf = (words: number) => Math.ceil(Math.max(words, 1) / 4) * 16;
