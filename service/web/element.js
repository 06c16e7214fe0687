/** One element of the page, made from values that are never read as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an HTML element.
 *
 * @param {string} tag
 * @param {Record<string, string | boolean | EventListener>} attributes - a function becomes the
 *     listener of the event it is named for, true an empty attribute, false none.
 * @param {...(Node | string)} children - strings become text.
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Draw a bar whose parts lie side by side; SVG attributes need no inline style.
 *
 * @param {{share: number, name: string}[]} parts - shares of the whole width, in [0, 1].
 */
export function makeBar(parts) {
  let left = 0;
  const rectangles = parts.map(({ share, name }) => {
    const at = { class: name, x: percent(left), width: percent(share), height: "100%" };
    left += share;
    return fill(document.createElementNS(SVG, "rect"), at, []);
  });
  const attributes = { class: "bar", "aria-hidden": "true" };
  return fill(document.createElementNS(SVG, "svg"), attributes, rectangles);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function percent(share) {
  return `${(100 * share).toFixed(2)}%`;
}
