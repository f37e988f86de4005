/// <reference lib="dom" />
/**
 * Elements from a tag, attributes and children. Text is always text: nothing that a model wrote becomes markup.
 *
 * @module
 */

/** What an element may hold. */
export type Child = Node | string | number | null | undefined | false | readonly Child[];

/** Attributes; those that begin with `on` are listeners, `style` an object of custom or plain properties. */
export type Attributes = Readonly<Record<string, unknown>>;

/** Makes an element. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), attributes, children);
}

/** Makes an element of a drawing. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill<E extends HTMLElement | SVGElement>(
  element: E,
  attributes: Attributes,
  children: readonly Child[],
): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("aria-")) element.setAttribute(name, String(value));
    else if (value === false) continue;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else if (name === "style") {
      for (const [property, each] of Object.entries(value as object)) {
        element.style.setProperty(property, String(each));
      }
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element: Element, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(typeof child === "number" ? String(child) : child as Node | string);
  }
}

/** Puts other children in an element. */
export function show(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren();
  append(element, children);
}

/**
 * Does what draws part of the page anew. What had the focus has it again, if the new part has the same thing; else what
 * `otherwise` gives.
 */
export function keepingFocus(work: () => void, otherwise: () => HTMLElement | null = () => null): void {
  const before = document.activeElement;
  if (!(before instanceof HTMLElement) || before === document.body) return work();
  const kind = (element: Element) =>
    [element.getAttribute("aria-label") ?? element.textContent, element.getAttribute("type"), element.id]
      .join();
  const wanted = kind(before);
  work();
  if (before.isConnected) return;
  const again = [...document.querySelectorAll<HTMLElement>(before.tagName)].find((each) =>
    kind(each) === wanted
  );
  (otherwise() ?? again)?.focus({ preventScroll: true });
}
