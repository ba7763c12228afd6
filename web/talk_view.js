// The middle: title of the conversation, its messages, and the welcome when there are none yet.
import {$, button, el, icon, iconButton} from './dom.js';
import {chat} from './chat.js';
import {conversations} from './conversations.js';
import {menuButton} from './dialogs.js';
import {documents} from './documents.js';
import {remove, rename, saveAs} from './history_view.js';
import {ratio, t} from './i18n.js';
import {MessageView} from './message_view.js';
import {announce, report, toast} from './notify.js';

const NEAR_PX = 80;        // as close to the end as still counts as reading along
const DRAW_MS = 60;        // at most one drawing of a growing answer in this time
const SPOKEN = 400;        // characters of an answer that are read aloud whole

let views = [];
let nav = {};
let jump = null;

export function startTalk(actions) {
  nav = actions;
  jump = iconButton('down', t('jump_down'), toEnd, {class: 'icon-button jump', hidden: true, id: 'jump'});
  $('dock').prepend(jump);
  $('scroller').addEventListener('scroll', () => { jump.hidden = atEnd(); });
  chat.addEventListener('open', drawTalk);
  chat.addEventListener('messages', drawMessages);
  chat.addEventListener('message', ({detail}) => growing(detail));
  chat.addEventListener('done', ({detail}) => finished(detail));
  chat.addEventListener('title', drawTitle);
  chat.addEventListener('documents', () => { drawWelcome(); });
  chat.addEventListener('unsaved', ({detail}) => report(detail));
  documents.addEventListener('list', drawWelcome);
  documents.addEventListener('change', ({detail}) => { if (detail.state === 'ready') drawWelcome(); });
  $('messages').addEventListener('placed', () => { if (following) toEnd(); });
}

let following = true;
const atEnd = () => $('scroller').scrollHeight - $('scroller').scrollTop - $('scroller').clientHeight < NEAR_PX;

function toEnd() {
  $('scroller').scrollTop = $('scroller').scrollHeight;
  jump.hidden = true;
}

export function drawTalk() {
  views = [];
  $('messages').replaceChildren();
  jump.setAttribute('aria-label', t('jump_down'));
  jump.title = t('jump_down');
  drawTitle();
  drawMessages();
}

function drawTitle() {
  const {id, title, messages} = chat.conversation;
  document.title = title ? `${title} · Glyph` : 'Glyph';
  const row = $('title-row');
  row.hidden = !messages.length;
  const name = title || t('untitled');
  const saved = id && conversations.all().some((entry) => entry.id === id);
  const focused = row.contains(document.activeElement);
  const opener = menuButton(t('more_actions', {name}), () => [
    ...(saved ? [{icon: 'edit', label: t('rename'), run: () => rename(id, name)}] : []),
    {icon: 'export', label: t('export_markdown'), run: () => saveAs(id, 'markdown')},
    {icon: 'export', label: t('export_json'), run: () => saveAs(id, 'json')},
    ...(saved ? [{icon: 'trash', label: t('delete'), danger: true, run: () => remove(id, name)}] : []),
  ], {id: 'conversation-menu'});
  row.replaceChildren(el('h1', {title: name}, name), opener);
  if (focused) opener.focus();
}

// Keeps the views that still stand, adds and drops others.
function drawMessages() {
  const kept = views.filter((view, index) => view.of === chat.messages[index] && view.index === index);
  views = kept;
  while (views.length < chat.messages.length) {
    const view = new MessageView(views.length, nav);
    view.of = chat.messages[views.length];
    views.push(view);
  }
  $('messages').replaceChildren(...views.map((view) => view.node));
  drawTitle();
  drawWelcome();
  following = true;
  toEnd();
}

let pending = 0;

function growing(index) {
  if (pending) return;
  pending = setTimeout(() => {
    pending = 0;
    const view = views[index];
    if (!view || view.of !== chat.messages[index] || view.of.state === undefined) return;
    if (view.of.state === 'writing' && !view.of.announced) announceStart(view.of);
    following = atEnd();
    view.update();
    if (following) toEnd();
  }, DRAW_MS);
}

function announceStart(message) {
  Object.defineProperty(message, 'announced', {value: true});
  announce(t('answer_started'));
}

function finished(index) {
  const message = chat.messages[index];
  following = atEnd();
  views[index]?.draw();
  if (following) toEnd();
  if (message.error !== undefined) announce(t('answer_failed', {error: message.error}));
  else if (message.ending === 'stopped') announce(t('stopped'));
  else announce(message.content.length <= SPOKEN ? message.content : t('answer_done'));
}

function drawWelcome() {
  const old = $('welcome');
  $('talk').classList.toggle('empty', !chat.messages.length);
  if (chat.messages.length) { old?.remove(); return; }
  const focus = old?.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const list = chat.conversation.documents.map((id) => documents.get(id)).filter(Boolean);
  const welcome = el('section', {id: 'welcome', class: 'welcome'}, ...(list.length ? readyWelcome(list) : emptyWelcome()));
  $('messages').replaceChildren(welcome);
  if (focus) welcome.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

function emptyWelcome() {
  const recent = documents.all().filter((document) => document.state === 'ready').slice(0, 4);
  return [
    el('div', {class: 'hero-art', 'aria-hidden': 'true'}, el('span'), el('span'), el('span')),
    el('h1', {}, t('hero_title')), el('p', {class: 'hero-text'}, t('hero_text')),
    documents.loaded && !documents.available
        ? el('p', {class: 'note'}, t('library_off'))
        : el('div', {class: 'hero-drop'}, button(t('hero_choose'), nav.chooseFiles, {class: 'button primary large', 'data-focus': 'choose'}, 'plus'),
             el('p', {}, t('hero_or'))),
    ...(recent.length ? [el('h2', {class: 'list-title'}, t('hero_recent')),
                         el('ul', {class: 'recent'}, ...recent.map((document) => el('li', {}, recentButton(document))))] : []),
  ];
}

function recentButton({id, name, pages, compression}) {
  const detail = [t('pages', {n: pages ?? 0}), compression > 0 && ratio(compression)].filter(Boolean).join(' · ');
  return el('button', {type: 'button', class: 'recent-button', 'aria-label': t('add_to_conversation', {name}), 'data-focus': id,
                       on: {click: () => { chat.addDocument(id); nav.focusQuestion(); }}},
            icon('pages'), el('span', {class: 'row-title'}, name), el('span', {class: 'row-detail'}, detail));
}

function readyWelcome(list) {
  const ask = (text) => chat.ask(text).catch((error) => toast(error.message, 'error'));
  return [
    el('h1', {}, t('hero_ready_title')), el('p', {class: 'hero-text'}, t('hero_ready_text')),
    el('ul', {class: 'suggestions', 'aria-label': t('suggestions')},
       ...['suggest_1', 'suggest_2', 'suggest_3'].map((name) => el('li', {}, el('button', {
         type: 'button', class: 'suggestion', 'data-focus': name, disabled: list.every((document) => document.state === 'failed'),
         on: {click: () => ask(t(name))}}, t(name))))),
  ];
}
