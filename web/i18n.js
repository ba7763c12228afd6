// Words, numbers and times in the language of the page. Views listen to settings and draw themselves again on a change.
import {settings} from './settings.js';
import {icon} from './dom.js';

const FILES = {en: './strings_en.js', zh: './strings_zh.js'};
let table = {};

// Fetches the strings of the chosen language, and only those; draw nothing before.
export async function loadLanguage() {
  table = (await import(FILES[language()])).default;
}

const LOCALES = {en: 'en', zh: 'zh-CN'};

export const language = () => settings.get('language') || (/^zh\b/i.test(navigator.language) ? 'zh' : 'en');
export const locale = () => LOCALES[language()];

// t('pages', {n: 3}): the string with its {names} replaced; an array is chosen by the plural form of {n}.
export function t(key, values = {}) {
  let text = table[key];
  if (text === undefined) throw new Error(`no string "${key}"`);
  if (Array.isArray(text)) text = text[new Intl.PluralRules(locale()).select(values.n) === 'one' ? 0 : 1];
  return text.replace(/\{(\w+)\}/g, (whole, name) => show(values[name] ?? whole));
}

const show = (value) => (typeof value === 'number' ? number(value) : value);

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(locale(), {maximumFractionDigits: digits}).format(value);

export const percent = (value) => new Intl.NumberFormat(locale(), {style: 'percent', maximumFractionDigits: 0}).format(value);

export const ratio = (value) => t('compression', {x: number(value, value < 10 ? 1 : 0)});

const unit = (value, name, digits) => new Intl.NumberFormat(locale(), {
  style: 'unit', unit: name, unitDisplay: 'short', maximumFractionDigits: digits,
}).format(value);

// Milliseconds as a person says them: 84 ms, 1.2 s, 3 min.
export function duration(milliseconds) {
  if (milliseconds < 1000) return unit(Math.round(milliseconds), 'millisecond', 0);
  if (milliseconds < 10000) return unit(milliseconds / 1000, 'second', 1);
  if (milliseconds < 100000) return unit(milliseconds / 1000, 'second', 0);
  return unit(milliseconds / 60000, 'minute', milliseconds < 600000 ? 1 : 0);
}

export function bytes(count) {
  const names = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];
  const step = Math.min(names.length - 1, count > 0 ? Math.floor(Math.log(count) / Math.log(1000)) : 0);
  return new Intl.NumberFormat(locale(), {style: 'unit', unit: names[step], unitDisplay: step ? 'short' : 'narrow', maximumFractionDigits: step ? 1 : 0})
      .format(count / 1000 ** step);
}

// Fills the fixed parts of index.html: data-t is text, data-label a name and tooltip, data-icon a drawing.
export function applyStatic(root = document) {
  document.documentElement.lang = locale();
  for (const node of root.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll('[data-label]')) {
    node.setAttribute('aria-label', t(node.dataset.label));
    node.title = t(node.dataset.label);
  }
  for (const node of root.querySelectorAll('[data-label-only]')) node.setAttribute('aria-label', t(node.dataset.labelOnly));
  for (const node of root.querySelectorAll('[data-icon]')) if (!node.firstChild) node.append(icon(node.dataset.icon));
}
