// Elements built by calls, never by markup: the page runs under require-trusted-types-for 'script'.
import {ICONS} from './icons.js';

const SVG = 'http://www.w3.org/2000/svg';

export const $ = (id) => document.getElementById(id);

// el('button', {class: 'x', 'aria-label': 'y', disabled: true, on: {click: f}}, 'text', child, ...)
// A false, null or undefined attribute is left out, true becomes the empty attribute; null children are skipped.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  fill(node, attributes);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  fill(node, attributes);
  node.append(...children);
  return node;
}

function fill(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === 'on') {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
}

// A 24 x 24 line drawing that takes the text colour; always beside or inside something that has a name.
export function icon(name) {
  const shapes = ICONS[name].map((d) => svg('path', {d}));
  return svg('svg', {class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false'}, ...shapes);
}

export function iconButton(name, label, handler, attributes = {}) {
  return el('button', {type: 'button', class: 'icon-button', 'aria-label': label, title: label, on: {click: handler},
                       ...attributes}, icon(name));
}

export function button(label, handler, attributes = {}, iconName = null) {
  return el('button', {type: 'button', class: 'button', on: {click: handler}, ...attributes},
            iconName && icon(iconName), el('span', {}, label));
}

// Calls `work` at most once in `delay` ms, the last call wins.
export function debounce(work, delay) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), delay);
  };
}

// Hands the user a file that was made here.
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], {type}));
  const link = el('a', {href: url, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
