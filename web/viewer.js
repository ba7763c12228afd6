// The right side: one page of a document as the model sees it, with zoom, and boxes where the quoted words stand; or
// the text that was extracted.
import {$, el, icon, iconButton, svg} from './dom.js';
import {imageAddress, text as fetchText} from './api.js';
import {chat} from './chat.js';
import {documents} from './documents.js';
import {settings} from './settings.js';
import {number, percent, t} from './i18n.js';
import {sentence} from './notify.js';

const ZOOMS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4];

const at = {id: null, page: 1, places: [], place: 0, asText: false};
let shown = {key: '', image: null, address: null};
let hide = () => {};

export function startViewer({closeViewer}) {
  hide = closeViewer;
  choose();
  chat.addEventListener('open', () => { Object.assign(at, {id: null, page: 1, places: [], place: 0}); choose(); drawViewer(); });
  chat.addEventListener('documents', () => { choose(); drawViewer(); });
  documents.addEventListener('change', ({detail}) => { if (detail.id === at.id) drawViewer(); });
  documents.addEventListener('list', () => { choose(); drawViewer(); });
  $('viewer').addEventListener('keydown', turned);
  settings.addEventListener('change', ({detail}) => { if (detail === 'zoom') scale(); });
}

// Stays at the document shown, else takes the first of the conversation.
function choose() {
  if (documents.get(at.id)) return;
  const ids = chat.conversation.documents.filter((id) => documents.get(id) && !documents.get(id).local);
  Object.assign(at, {id: ids[0] ?? null, page: 1, places: [], place: 0});
}

export function showDocument(id) {
  if (id !== at.id) Object.assign(at, {id, page: 1, places: [], place: 0, asText: false});
  drawViewer();
}

// places: [{document, page, boxes}]
export function showPlaces(places) {
  Object.assign(at, {id: places[0].document, page: places[0].page, places, place: 0, asText: false});
  drawViewer();
}

const canShow = (document) => document && (document.state === 'ready' || (['encoding', 'reading'].includes(document.state) && document.pages > 0));

export function drawViewer() {
  const document = documents.get(at.id);
  const focus = $('viewer').contains(window.document.activeElement) ? window.document.activeElement.id : '';
  if (!canShow(document)) {
    shown = {key: '', image: null, address: null};
    $('viewer').replaceChildren(head(document), el('div', {class: 'viewer-empty'}, icon('pages'),
        el('p', {}, document?.state === 'failed' ? document.error : t(document ? 'viewer_pending' : 'viewer_empty'))));
  } else if ($('sheet') && $('viewer-head')) {
    $('viewer-head').replaceWith(head(document));
    $('viewer-bar').replaceWith(bar(document));
    drawSheet(document);
  } else {
    $('viewer').replaceChildren(head(document), bar(document), el('div', {id: 'sheet', class: 'sheet', tabindex: 0, role: 'region', 'aria-label': t('viewer')}));
    drawSheet(document);
  }
  if (focus) $(focus)?.focus();
}

function head(document) {
  const choices = [...new Set([...chat.conversation.documents, at.id])].map((id) => documents.get(id)).filter((d) => d && !d.local);
  const select = el('select', {id: 'viewer-document', 'aria-label': t('viewer_document'), on: {change: () => showDocument(select.value)}},
                    ...choices.map(({id, name}) => el('option', {value: id, selected: id === at.id}, name)));
  return el('div', {id: 'viewer-head', class: 'viewer-head'}, document ? select : el('h2', {}, t('viewer')),
            iconButton('close', t('viewer_close'), hide, {id: 'viewer-close'}));
}

function bar(document) {
  const go = (page) => turnTo(page);
  const input = el('input', {id: 'viewer-page', type: 'number', min: 1, max: document.pages, value: at.page, 'aria-label': t('viewer_page'),
                             on: {change: () => go(Number(input.value))}});
  return el('div', {id: 'viewer-bar', class: 'viewer-bar'},
            el('div', {class: 'group'},
               iconButton('left', t('viewer_previous'), () => go(at.page - 1), {id: 'viewer-previous', disabled: at.page <= 1}), input,
               el('span', {class: 'of'}, t('viewer_of', {n: document.pages})),
               iconButton('right', t('viewer_next'), () => go(at.page + 1), {id: 'viewer-next', disabled: at.page >= document.pages})),
            at.places.length ? marksGroup() : null,
            el('div', {class: 'group'},
               iconButton('minus', t('viewer_zoom_out'), () => zoom(-1), {id: 'zoom-out'}),
               el('span', {id: 'zoom-value', class: 'of'}, ''),
               iconButton('plus', t('viewer_zoom_in'), () => zoom(1), {id: 'zoom-in'}),
               iconButton('fit', t('viewer_fit'), () => settings.set('zoom', 0), {id: 'zoom-fit'}),
               iconButton(at.asText ? 'pages' : 'text', t(at.asText ? 'viewer_image' : 'viewer_text'),
                          () => { at.asText = !at.asText; drawViewer(); }, {id: 'viewer-text'})));
}

function marksGroup() {
  const next = () => {
    at.place = (at.place + 1) % at.places.length;
    Object.assign(at, {page: at.places[at.place].page, id: at.places[at.place].document});
    drawViewer();
  };
  return el('div', {class: 'group marks'},
            el('span', {class: 'of'}, t('marked_count', {i: at.place + 1, n: at.places.length})),
            iconButton('pin', t('marked_next'), next, {id: 'marked-next', disabled: at.places.length < 2}),
            iconButton('close', t('marks_clear'), () => { at.places = []; drawViewer(); $('sheet').focus(); }, {id: 'marks-clear'}));
}

function turnTo(page) {
  const document = documents.get(at.id);
  if (!document || !Number.isInteger(page)) return;
  at.page = Math.min(document.pages, Math.max(1, page));
  drawViewer();
  $('sheet').scrollTop = 0;
}

function turned(event) {
  if (event.target.matches('input, select') || event.ctrlKey || event.metaKey || event.altKey || !$('sheet')) return;
  const act = {ArrowLeft: () => turnTo(at.page - 1), ArrowRight: () => turnTo(at.page + 1), PageUp: () => turnTo(at.page - 1),
               PageDown: () => turnTo(at.page + 1), '+': () => zoom(1), '=': () => zoom(1), '-': () => zoom(-1), '0': () => settings.set('zoom', 0)}[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

async function drawSheet(document) {
  const key = at.asText ? `text ${at.id}` : `page ${at.id} ${at.page}`;
  if (key === shown.key) { drawBoxes(document); scale(); return; }
  if (shown.address?.startsWith('blob:')) URL.revokeObjectURL(shown.address);
  shown = {key, image: null, address: null};
  $('sheet').classList.toggle('as-text', at.asText);
  $('sheet').setAttribute('aria-busy', 'true');
  try {
    await (at.asText ? drawText(key) : drawImage(document, key));
  } catch (error) {
    if (shown.key === key) { showFailure(error); shown.key = ''; }
  }
  if (shown.key === key || !shown.key) $('sheet')?.removeAttribute('aria-busy');
}

function showFailure(error) {
  $('sheet').replaceChildren(el('div', {class: 'viewer-empty'}, icon('warn'), el('p', {}, error.status ? sentence(error) : t('viewer_failed'))));
}

async function drawText(key) {
  const words = await fetchText(`/v1/documents/${encodeURIComponent(at.id)}/text`);
  if (shown.key === key) $('sheet').replaceChildren(el('div', {class: 'source-text'}, words));
}

async function drawImage(document, key) {
  const path = `/v1/documents/${encodeURIComponent(at.id)}/pages/${at.page}`;
  const address = await imageAddress(path);
  const image = new Image();
  image.decoding = 'async';
  image.src = address;
  await image.decode();
  if (shown.key !== key) return;
  Object.assign(shown, {image, address});
  $('sheet').replaceChildren(el('div', {class: 'paper'}, image));
  drawBoxes(document);
  scale();
}

// Boxes over the image in the image's own pixels; the first one is brought into view.
function drawBoxes({name}) {
  const {image} = shown;
  if (!image) return;
  const boxes = at.places.filter((place) => place.document === at.id && place.page === at.page).flatMap((place) => place.boxes);
  image.alt = boxes.length ? t('viewer_alt_boxes', {page: at.page, name, n: boxes.length}) : t('viewer_alt', {page: at.page, name});
  image.parentNode.querySelector('.boxes')?.remove();
  if (!boxes.length) return;
  const {naturalWidth: width, naturalHeight: height} = image;
  image.after(svg('svg', {class: 'boxes', viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true'}, ...boxes.map((box) =>
    svg('rect', {x: box.x0 - 2, y: box.y0 - 1, width: box.x1 - box.x0 + 4, height: box.y1 - box.y0 + 2, rx: 2}))));
  requestAnimationFrame(() => reveal(boxes[0], width));
}

function reveal(box, width) {
  const sheet = $('sheet');
  const scaleNow = (shown.image?.clientWidth ?? 0) / width;
  sheet.scrollTo({top: (box.y0 + box.y1) / 2 * scaleNow - sheet.clientHeight / 2, left: box.x0 * scaleNow - sheet.clientWidth / 4, behavior: 'auto'});
}

// The width of the image: as the sheet, or its pixels times the zoom.
function scale() {
  const {image} = shown;
  const zoomNow = settings.get('zoom');
  if ($('zoom-value')) $('zoom-value').textContent = at.asText || !image ? '' : percent(zoomNow || image.clientWidth / image.naturalWidth || 1);
  if (!image) return;
  image.parentNode.style.width = zoomNow ? `${image.naturalWidth * zoomNow}px` : '';
  if (!zoomNow) $('zoom-value').textContent = percent(image.clientWidth / image.naturalWidth || 1);
  $('zoom-value').title = `${number(image.naturalWidth)} × ${number(image.naturalHeight)}`;
}

function zoom(step) {
  const {image} = shown;
  if (!image) return;
  const now = settings.get('zoom') || image.clientWidth / image.naturalWidth;
  const next = step > 0 ? ZOOMS.find((value) => value > now + 0.01) : ZOOMS.findLast((value) => value < now - 0.01);
  if (next) settings.set('zoom', next);
}

