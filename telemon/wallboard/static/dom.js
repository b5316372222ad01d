// Elements made and changed by hand: text only as text, and nothing touched that stays as it is.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; children are nodes or strings. */
export function el(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Return one of the page's symbols, decorative: a word always stands beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.dataset.icon = name;
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

export function setIcon(svg, name) {
  if (svg.dataset.icon === name) return;
  svg.dataset.icon = name;
  svg.firstChild.setAttribute("href", `#icon-${name}`);
}

export function setText(node, text) {
  const said = String(text);
  if (node.firstChild?.data !== said) node.textContent = said;
}

export function setData(node, name, value) {
  const said = String(value);
  if (node.dataset[name] !== said) node.dataset[name] = said;
}

export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

export const byId = (id) => document.getElementById(id);

/** Put a node before `next`, unless it stands there; return what stands after it. */
export function place(parent, node, next) {
  if (node === next) return next.nextSibling;
  parent.insertBefore(node, next);
  return next;
}

/** Put these nodes into the parent in this order, moving only those that stand elsewhere. */
export function arrange(parent, nodes) {
  let next = parent.firstChild;
  for (const node of nodes) next = place(parent, node, next);
}

/** The children of a parent, one for each key: made once, updated in place, gone with their key. */
export class Keyed {
  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
    this.rows = new Map();
  }

  row(key, value) {
    let row = this.rows.get(key);
    if (!row) {
      row = this.make(value);
      this.rows.set(key, row);
    }
    row.update(value);
    return row;
  }

  drop(key) {
    this.rows.get(key)?.node.remove();
    this.rows.delete(key);
  }

  /** Show exactly these [key, value] pairs, in their order. */
  show(pairs) {
    const wanted = new Set(pairs.map(([key]) => key));
    for (const key of [...this.rows.keys()]) if (!wanted.has(key)) this.drop(key);
    arrange(this.parent, pairs.map(([key, value]) => this.row(key, value).node));
  }
}
