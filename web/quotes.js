// Where the answer stands: which words of an answer are quotations, where the server finds them on the pages, and the
// marks in the answer itself. What is put in quotation marks must be there and is marked when it is not; when nothing
// is, the answer's own figures and a short answer itself are looked for, and shown only if found.
import {call} from './api.js';
import {el, icon} from './dom.js';
import {t} from './i18n.js';

const MOST = 24;        // quotes of one answer that are looked for
const LONGEST = 600;    // characters of one quote
const SHORT_ANSWER = 160;

const MARKED = new RegExp([
  `“([^“”]{2,${LONGEST}})”`, `「([^「」]{2,${LONGEST}})」`, `『([^『』]{2,${LONGEST}})』`, `«\\s?([^«»]{2,${LONGEST}}?)\\s?»`,
  `(?<![\\w"])"(?=\\S)([^"\\n]{2,${LONGEST}}?)(?<=\\S)"(?!\\w)`,
].join('|'), 'g');
const FIGURE = /(?<![\w.])[A-Za-z$€£¥]{0,8}-?\d[\w.,:%/-]{1,40}(?<![.,:])/g;
const BLOCKS = 'p, li, blockquote, td, th, h3, h4, h5, h6';

// [{text, certain, block, begin, end}]: a quotation of `root`, its block element and its characters in that block.
export function gather(root, question = '') {
  const quotes = [];
  for (const block of root.querySelectorAll(BLOCKS)) {
    if (block.closest('pre') || block.querySelector(BLOCKS)) continue;
    for (const match of block.textContent.matchAll(MARKED)) {
      const text = match.slice(1).find(Boolean);
      const begin = match.index + match[0].indexOf(text);
      quotes.push({text, certain: true, block, begin, end: begin + text.length});
    }
    if (block.closest('blockquote') && !quotes.some((quote) => quote.block === block)) quotes.push(whole(block, true));
  }
  return (quotes.length ? quotes : guesses(root, question)).slice(0, MOST);
}

const whole = (block, certain) => ({text: block.textContent.trim(), certain, block, begin: 0, end: block.textContent.length});

function guesses(root, question) {
  const quotes = [];
  const only = root.children.length === 1 && root.firstElementChild;
  if (only && only.matches('p') && only.textContent.length <= SHORT_ANSWER) quotes.push(whole(only, false));
  for (const block of root.querySelectorAll('p, li, td')) {
    if (block.querySelector(BLOCKS)) continue;
    for (const match of block.textContent.matchAll(FIGURE)) {
      const text = match[0];
      if (text.length < 3 || question.includes(text)) continue;
      quotes.push({text, certain: false, block, begin: match.index, end: match.index + text.length});
    }
  }
  return quotes;
}

// What is asked of the server for a quote: the parts between ellipses, without punctuation the writer may have added.
export function parts(text) {
  return text.split(/\s*(?:…+|\.{3,}|\[\.{3}\])\s*/).map((part) => part.replace(/^[\s“”"'‘’]+|[\s,.;:!?，。；：！？、“”"'‘’]+$/g, ''))
      .filter((part) => part.length > 1).slice(0, 6);
}

// Map of a quote's text -> [{document, page, boxes}], empty when a part of it is in none of the documents; null when
// the server cannot look.
export async function locate(quotes, documentIds, signal) {
  const wanted = [...new Set(quotes.flatMap((quote) => parts(quote.text)))];
  const places = new Map(quotes.map((quote) => [quote.text, []]));
  if (!wanted.length || !documentIds.length) return places;
  const found = await Promise.all(documentIds.map((id) => find(id, wanted, signal)));
  if (found.every((matches) => matches === null)) return null;
  for (const text of places.keys()) {
    const index = found.findIndex((matches) => matches && parts(text).length && parts(text).every((part) => matches.has(part)));
    if (index >= 0) places.set(text, byPage(documentIds[index], parts(text).flatMap((part) => found[index].get(part))));
  }
  return places;
}

async function find(id, quotes, signal) {
  try {
    const {matches} = await call('POST', `/v1/documents/${encodeURIComponent(id)}/find`, {quotes}, signal);
    return new Map(matches.filter((match) => match.found && match.boxes.length).map((match) => [match.quote, match.boxes]));
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    return null;
  }
}

function byPage(document, boxes) {
  const pages = new Map();
  for (const box of boxes) pages.set(box.page, [...(pages.get(box.page) ?? []), box]);
  return [...pages].map(([page, list]) => ({document, page, boxes: list})).sort((a, b) => a.page - b.page);
}

// Marks the quotes in their blocks: a found one is a button that calls `open(quote)`, a certain one that was not found
// carries a sign. From the last to the first, so that offsets stay true.
export function mark(quotes, places, open) {
  const inOrder = quotes.filter((quote) => quote.certain || quote.end - quote.begin <= 60)
      .sort((a, b) => (a.block === b.block ? b.begin - a.begin : 0));
  let last = null;
  for (const quote of inOrder) {
    if (last && last.block === quote.block && quote.end > last.begin) continue;
    const found = places.get(quote.text).length > 0;
    if (!found && !quote.certain) continue;
    const node = found ? foundMark(quote, places.get(quote.text), open) : missingMark(quote);
    const range = rangeOf(quote);
    if (!range) continue;
    node.prepend(range.extractContents());
    range.insertNode(node);
    last = quote;
  }
}

function foundMark(quote, places, open) {
  return el('button', {type: 'button', class: 'quote', title: t('quote_found', {page: places[0].page}), on: {click: () => open(quote)}});
}

function missingMark(quote) {
  return el('span', {class: 'quote-missing', title: t('quote_missing')}, icon('warn'),
            el('span', {class: 'visually-hidden'}, ` (${t('quote_missing')})`));
}

// The DOM range of characters begin..end of the block's text.
function rangeOf({block, begin, end}) {
  const range = document.createRange();
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  let offset = 0;
  let started = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const next = offset + node.length;
    if (!started && begin < next) { range.setStart(node, begin - offset); started = true; }
    if (started && end <= next) { range.setEnd(node, end - offset); return range; }
    offset = next;
  }
  return null;
}
