// The documents of the conversation above the question: name, stage, progress, time left, figures.
import {$, el, icon, iconButton} from './dom.js';
import {chat} from './chat.js';
import {documents} from './documents.js';
import {bytes, duration, number, ratio, t} from './i18n.js';
import {announce} from './notify.js';

const STAGES = ['uploading', 'extracting', 'drawing', 'encoding', 'reading'];

const cards = new Map();   // id -> {card, drawn}
const settled = new Set(); // ids whose end was announced
let show = () => {};

export function startTray({showDocument}) {
  show = showDocument;
  chat.addEventListener('open', drawTray);
  chat.addEventListener('documents', drawTray);
  documents.addEventListener('change', ({detail}) => { if (cards.has(detail.id)) { drawCard(detail); announceEnd(detail); } });
  documents.addEventListener('list', drawTray);
}

export function drawTray() {
  const list = chat.conversation.documents.map((id) => documents.get(id)).filter(Boolean);
  const tray = $('tray');
  tray.hidden = !list.length;
  for (const id of cards.keys()) if (!list.some((document) => document.id === id)) cards.delete(id);
  for (const document of list) {
    if (!cards.has(document.id)) cards.set(document.id, {card: el('li', {class: 'card'})});
    if (document.state === 'ready' || document.state === 'failed') settled.add(document.id);
    drawCard(document);
  }
  const old = tray.firstChild?.children ?? [];
  const wanted = list.map((document) => cards.get(document.id).card);
  if (old.length === wanted.length && wanted.every((card, index) => card === old[index])) return;
  tray.replaceChildren(el('ul', {class: 'cards', 'aria-label': t('tray')}, ...wanted));
}

function announceEnd(document) {
  const {id, name, state, error, pages} = document;
  if (settled.has(id) || (state !== 'ready' && state !== 'failed')) return;
  settled.add(id);
  announce(state === 'ready' ? t('ready_announce', {name, pages: t('pages', {n: pages ?? 0})}) : t('failed_announce', {name, error: error ?? ''}));
}

function drawCard(document) {
  const {card} = cards.get(document.id);
  const focused = card.contains(window.document.activeElement) ? window.document.activeElement.dataset.part : null;
  const {name, state} = document;
  card.className = `card is-${state}`;
  card.dataset.state = state;
  const remove = () => (document.local ? documents.remove(document.id) : Promise.resolve()).then(() => chat.removeDocument(document.id));
  const running = state === 'uploading';
  card.replaceChildren(
      el('button', {type: 'button', class: 'card-main', 'data-part': 'main', title: name, 'aria-label': t('show_document', {name}),
                    disabled: Boolean(document.local), on: {click: () => show(document.id)}},
         icon(state === 'failed' ? 'warn' : 'pages'),
         el('span', {class: 'card-words'}, el('span', {class: 'card-name'}, name), el('span', {class: 'card-detail'}, detail(document)))),
      iconButton('close', t(running ? 'cancel_upload' : 'remove_from_conversation', {name}), remove, {'data-part': 'remove'}),
      ...(state === 'ready' || state === 'failed' ? [] : [progressBar(document)]),
      ...warnings(document));
  if (focused) card.querySelector(`[data-part="${focused}"]`)?.focus();
}

function detail(document) {
  const {state, error, pages, image_tokens: tokens, compression} = document;
  if (state === 'failed') return error || t('state_failed');
  const parts = [];
  if (state === 'ready') {
    if (pages) parts.push(t('pages', {n: pages}));
    if (compression > 0) parts.push(ratio(compression));
    if (tokens > 0) parts.push(`${number(tokens)} ${t('stat_image_tokens').toLocaleLowerCase()}`);
    return parts.join(' · ');
  }
  parts.push(t(`state_${state}`));
  if (state === 'uploading') parts.push(bytes(document.bytes));
  else if (state === 'reading' && document.tokens_to_read) parts.push(t('tokens_done', {done: document.tokens_read, total: document.tokens_to_read}));
  else if (pages && document.pages_done) parts.push(t('pages_done', {done: document.pages_done, total: pages}));
  if (document.left_ms > 0) parts.push(t('left', {time: duration(document.left_ms)}));
  return parts.join(' · ');
}

function warnings({warnings: list = []}) {
  if (!list?.length) return [];
  return [el('details', {class: 'card-notes'}, el('summary', {}, t('warning', {n: list.length})),
             el('ul', {}, ...list.map((sentence) => el('li', {}, sentence))))];
}

// Five segments, one a stage; the running one fills as far as the server says.
function progressBar(document) {
  const at = Math.max(0, STAGES.indexOf(document.state === 'uploaded' ? 'extracting' : document.state));
  const part = document.state === 'uploaded' ? 0 : Math.min(1, share(document));
  const segments = STAGES.map((stage, index) => {
    const fill = el('span', {class: 'fill'});
    fill.style.width = `${index < at ? 100 : index === at ? Math.round(part * 100) : 0}%`;
    return el('span', {class: index === at ? 'segment now' : 'segment'}, fill);
  });
  const percent = Math.round((at + part) / STAGES.length * 100);
  return el('div', {class: 'progress', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': percent,
                    'aria-valuetext': detail(document), 'aria-label': t('progress_of', {state: t(`state_${document.state}`), name: document.name})},
            ...segments);
}

function share({state, sent, pages, pages_done: done, tokens_read: read, tokens_to_read: toRead}) {
  if (state === 'uploading') return sent ?? 0;
  if (state === 'reading') return toRead ? read / toRead : 0;
  return pages ? (done ?? 0) / pages : 0;
}
