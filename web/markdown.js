// Markdown to elements, never through markup text. Takes what models write: headings, paragraphs, lists, quotes, code,
// tables, rules; bold, italic, strike, code, links. Images and HTML stay text. Every repetition is bounded, so a hostile
// answer costs time linear in its length.
import {el} from './dom.js';

const DEEPEST = 6;

const INLINE = new RegExp([
  /(?<ticks>`{1,3})(?<code>[^`](?:.{0,1000}?[^`])?)\k<ticks>(?!`)/,
  /\\(?<escaped>[!-/:-@[-`{-~])/,
  /!?\[(?<label>[^\]\n]{1,300})\]\((?<address>[^\s()]{1,1000})\)/,
  /(?<strong>\*\*|__)(?=\S)(?<strongText>.{1,1000}?)(?<=\S)\k<strong>/,
  /~~(?=\S)(?<struck>.{1,1000}?)(?<=\S)~~/,
  /\*(?=[^\s*])(?<starred>.{1,1000}?)(?<=[^\s*])\*(?!\*)/,
  /(?<!\w)_(?=[^\s_])(?<scored>.{1,1000}?)(?<=[^\s_])_(?!\w)/,
  /(?<bare>https?:\/\/[^\s<>"'`]{1,1000}[^\s<>"'`.,;:!?)\]])/,
].map((part) => part.source).join('|'), 's');

// The elements of a text.
export function markdown(text) {
  return blocks(text.replace(/\r\n?/g, '\n').replace(/\t/g, '    ').split('\n'), 0);
}

function blocks(lines, depth) {
  const nodes = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) { ++at; continue; }
    const reader = READERS.find(({starts}) => starts(lines, at, depth)) ?? PARAGRAPH;
    const {node, next} = reader.read(lines, at, depth);
    nodes.push(node);
    at = next;
  }
  return nodes;
}

const FENCE = /^ {0,3}(```+|~~~+)\s*(\S{0,40})/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,8})([-*+]|\d{1,9}[.)])\s+(?=\S)/;
const DIVIDER = /^ *\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;

const READERS = [
  {starts: (lines, at) => FENCE.test(lines[at]), read: readFence},
  {starts: (lines, at) => HEADING.test(lines[at]), read: readHeading},
  {starts: (lines, at) => RULE.test(lines[at]), read: (lines, at) => ({node: el('hr'), next: at + 1})},
  {starts: (lines, at, depth) => depth < DEEPEST && QUOTE.test(lines[at]), read: readQuote},
  {starts: (lines, at, depth) => depth < DEEPEST && ITEM.test(lines[at]), read: readList},
  {starts: startsTable, read: readTable},
];
const PARAGRAPH = {read: readParagraph};

function readFence(lines, at) {
  const [, fence, language] = FENCE.exec(lines[at]);
  let end = at + 1;
  while (end < lines.length && !lines[end].trim().startsWith(fence)) ++end;
  const code = el('code', language ? {'data-language': language} : {}, lines.slice(at + 1, end).join('\n'));
  return {node: el('pre', {tabindex: 0}, code), next: end + 1};
}

function readHeading(lines, at) {
  const [, marks, text] = HEADING.exec(lines[at]);
  return {node: el(`h${Math.min(6, marks.length + 2)}`, {}, ...inline(text, 0)), next: at + 1};  // below the page's own
}

function readQuote(lines, at, depth) {
  let end = at;
  while (end < lines.length && (QUOTE.test(lines[end]) || (end > at && lines[end].trim() && !begins(lines, end, depth)))) ++end;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ''));
  return {node: el('blockquote', {}, ...blocks(inner, depth + 1)), next: end};
}

const begins = (lines, at, depth) => READERS.some(({starts}) => starts(lines, at, depth));

function readList(lines, at, depth) {
  const first = ITEM.exec(lines[at]);
  const ordered = /\d/.test(first[2]);
  const list = el(ordered ? 'ol' : 'ul', ordered && parseInt(first[2], 10) !== 1 ? {start: parseInt(first[2], 10)} : {});
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || item[1].length > first[1].length + 1 || /\d/.test(item[2]) !== ordered) break;
    const end = itemEnd(lines, at, item);
    const indent = item[0].length;
    const inner = [lines[at].slice(indent), ...lines.slice(at + 1, end).map((line) => unindent(line, indent))];
    list.append(listItem(blocks(inner, depth + 1)));
    at = end;
  }
  return {node: list, next: at};
}

// An item goes on over indented lines, lazy lines, and blank lines before indented ones.
function itemEnd(lines, at, item) {
  const inside = item[1].length + 2;
  let end = at + 1;
  while (end < lines.length) {
    const line = lines[end];
    const indent = line.length - line.trimStart().length;
    if (!line.trim()) {
      const next = lines[end + 1];
      if (next === undefined || !next.trim() || next.length - next.trimStart().length < inside) {
        return next !== undefined && ITEM.test(next) ? end + 1 : end;
      }
    } else if (indent < inside && begins(lines, end, 0)) {
      return end;
    }
    ++end;
  }
  return end;
}

const unindent = (line, most) => line.slice(Math.min(most, line.length - line.trimStart().length));

// A lone paragraph in an item stands without its own margin.
function listItem(nodes) {
  return nodes[0]?.tagName === 'P' ? el('li', {}, ...nodes[0].childNodes, ...nodes.slice(1)) : el('li', {}, ...nodes);
}

function startsTable(lines, at) {
  return lines[at].includes('|') && at + 1 < lines.length && lines[at + 1].includes('-') && DIVIDER.test(lines[at + 1]);
}

function readTable(lines, at) {
  let end = at + 2;
  while (end < lines.length && lines[end].includes('|') && lines[end].trim()) ++end;
  const row = (line, tag) => el('tr', {}, ...cells(line).map((cell) => el(tag, {}, ...inline(cell, 0))));
  const body = lines.slice(at + 2, end).map((line) => row(line, 'td'));
  const table = el('table', {}, el('thead', {}, row(lines[at], 'th')), el('tbody', {}, ...body));
  return {node: el('div', {class: 'table-frame', tabindex: 0}, table), next: end};
}

const cells = (line) => line.trim().replace(/^\||\|$/g, '').split(/(?<!\\)\|/).map((cell) => cell.trim());

function readParagraph(lines, at, depth) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !begins(lines, end, depth)) ++end;
  const node = el('p');
  lines.slice(at, end).forEach((line, index) => {
    if (index) node.append(/ {2,}$|\\$/.test(lines[at + index - 1]) ? el('br') : '\n');
    node.append(...inline(line.replace(/\\$/, '').trim(), 0));
  });
  return {node, next: end};
}

function inline(text, depth) {
  const nodes = [];
  while (text) {
    const match = depth < DEEPEST ? INLINE.exec(text) : null;
    if (!match) { nodes.push(text); break; }
    if (match.index) nodes.push(text.slice(0, match.index));
    nodes.push(span(match.groups, match[0], depth + 1));
    text = text.slice(match.index + match[0].length);
  }
  return nodes;
}

function span(found, whole, depth) {
  if (found.code) return el('code', {}, found.code);
  if (found.escaped) return found.escaped;
  if (found.address) return anchor(found.address, inline(found.label, depth), whole);
  if (found.strong) return el('strong', {}, ...inline(found.strongText, depth));
  if (found.struck) return el('del', {}, ...inline(found.struck, depth));
  if (found.starred) return el('em', {}, ...inline(found.starred, depth));
  if (found.scored) return el('em', {}, ...inline(found.scored, depth));
  return anchor(found.bare, [found.bare], whole);
}

// Only web and mail addresses become links; anything else stays the text it was.
function anchor(address, label, whole) {
  if (!/^(https?:\/\/|mailto:)/i.test(address)) return whole;
  return el('a', {href: address, target: '_blank', rel: 'noopener noreferrer nofollow'}, ...label);
}
