// The left side: new conversation, search, the conversations by day, the documents of the server.
import {$, button, el, icon, iconButton} from './dom.js';
import {chat} from './chat.js';
import {confirmDialog, menuButton, promptDialog} from './dialogs.js';
import {conversations} from './conversations.js';
import {documents} from './documents.js';
import {bytes, ratio, t} from './i18n.js';
import {report} from './notify.js';

let query = '';
let nav = {};  // {closeHistory, showDocument, focusQuestion}

export function startHistory(actions) {
  nav = actions;
  conversations.addEventListener('list', drawConversations);
  documents.addEventListener('list', drawLibrary);
  documents.addEventListener('change', drawLibrary);
  for (const name of ['open', 'title', 'documents']) chat.addEventListener(name, drawConversations);
  chat.addEventListener('documents', drawLibrary);
  chat.addEventListener('open', drawLibrary);
}

export function drawHistory() {
  const search = el('input', {type: 'search', id: 'search', 'aria-label': t('search'), placeholder: t('search'), value: query,
                              autocomplete: 'off', on: {input: (event) => { query = event.target.value; drawConversations(); }}});
  $('history').replaceChildren(
      el('div', {class: 'history-head'},
         button(t('new_conversation'), () => { chat.start(); nav.closeHistory(); nav.focusQuestion(); }, {id: 'new-conversation', class: 'button wide'}, 'plus'),
         el('div', {class: 'search'}, icon('search'), search)),
      el('div', {class: 'history-lists'},
         el('section', {'aria-labelledby': 'conversations-title'},
            el('h2', {id: 'conversations-title', class: 'list-title'}, t('conversations')), el('div', {id: 'conversations'})),
         el('section', {'aria-labelledby': 'library-title'},
            el('h2', {id: 'library-title', class: 'list-title'}, t('library')), el('div', {id: 'library'}))));
  drawConversations();
  drawLibrary();
}

export const focusSearch = () => { $('search').focus(); $('search').select(); };

const hint = (text) => el('p', {class: 'list-hint'}, text);

function drawConversations() {
  const place = $('conversations');
  if (!place) return;
  const wanted = query.trim().toLocaleLowerCase();
  const list = conversations.all().filter(({title}) => (title || t('untitled')).toLocaleLowerCase().includes(wanted));
  const nodes = [];
  if (!conversations.loaded) nodes.push(el('div', {class: 'skeleton', role: 'status'}, el('span', {class: 'visually-hidden'}, t('loading'))));
  else if (!conversations.kept) nodes.push(hint(t('history_off')));
  else if (!list.length) nodes.push(hint(wanted ? t('search_none', {query: query.trim()}) : t('history_empty')));
  for (const [day, entries] of byDay(list)) {
    nodes.push(el('h3', {class: 'day'}, t(day)), el('ul', {class: 'rows'}, ...entries.map(conversationRow)));
  }
  keepFocus(place, () => place.replaceChildren(...nodes));
}

// A redraw must not take the focus away from the row that has it.
function keepFocus(place, redraw) {
  const id = place.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  redraw();
  if (id) place.querySelector(`[data-focus="${CSS.escape(id)}"]`)?.focus();
}

function byDay(list) {
  const midnight = new Date().setHours(0, 0, 0, 0) / 1000;
  const days = new Map([['today', []], ['yesterday', []], ['earlier', []]]);
  for (const entry of list) {
    const at = entry.updated_at ?? 0;
    days.get(at >= midnight ? 'today' : at >= midnight - 86400 ? 'yesterday' : 'earlier').push(entry);
  }
  return [...days].filter(([, entries]) => entries.length);
}

function conversationRow(entry) {
  const current = entry.id === chat.conversation.id;
  const title = entry.title || t('untitled');
  const open = () => { chat.open(entry.id).catch(report); nav.closeHistory(); };
  return el('li', {class: current ? 'row current' : 'row'},
            el('button', {type: 'button', class: 'row-main', 'aria-current': current ? 'true' : null, title,
                          'data-focus': entry.id, on: {click: open}}, el('span', {class: 'row-title'}, title)),
            conversationMenu(entry, title));
}

function conversationMenu(entry, title) {
  return menuButton(t('more_actions', {name: title}), () => [
    {icon: 'edit', label: t('rename'), run: () => rename(entry.id, title)},
    {icon: 'export', label: t('export_markdown'), run: () => saveAs(entry.id, 'markdown')},
    {icon: 'export', label: t('export_json'), run: () => saveAs(entry.id, 'json')},
    {icon: 'trash', label: t('delete'), danger: true, run: () => remove(entry.id, title)},
  ], {'data-focus': `menu-${entry.id}`});
}

export async function rename(id, title) {
  const name = await promptDialog(t('rename_title'), t('title_field'), title);
  if (!name || name === title) return;
  try {
    await conversations.rename(id, name);
    if (chat.conversation.id === id) {
      chat.conversation.title = name;
      chat.dispatchEvent(new CustomEvent('title'));
    }
  } catch (error) {
    report(error);
  }
}

export async function saveAs(id, format) {
  try {
    const {exportConversation} = await import('./export.js');
    exportConversation(id === chat.conversation.id ? chat.conversation : await conversations.open(id), format);
  } catch (error) {
    report(error);
  }
}

export async function remove(id, title) {
  if (!await confirmDialog(t('delete_conversation', {name: title}), t('delete'))) return;
  try {
    await conversations.remove(id);
    if (chat.conversation.id === id) chat.start();
  } catch (error) {
    report(error);
  }
}

function drawLibrary() {
  const place = $('library');
  if (!place) return;
  const list = documents.all().filter((document) => !document.local);
  const nodes = [];
  if (!documents.loaded) nodes.push(el('div', {class: 'skeleton'}));
  else if (!documents.available) nodes.push(hint(t('library_off')));
  else if (!list.length) nodes.push(hint(t('library_empty')));
  else nodes.push(el('ul', {class: 'rows'}, ...list.map(documentRow)));
  keepFocus(place, () => place.replaceChildren(...nodes));
}

function documentRow(document) {
  const {id, name, state} = document;
  const inside = chat.conversation.documents.includes(id);
  const detail = state === 'ready' ? [t('pages', {n: document.pages ?? 0}), document.compression > 0 && ratio(document.compression)]
                                   : [t(`state_${state}`), bytes(document.bytes ?? 0)];
  const show = () => { nav.showDocument(id); };
  return el('li', {class: 'row'},
            el('button', {type: 'button', class: 'row-main', 'aria-label': t('show_document', {name}), title: name,
                          'data-focus': id, on: {click: show}},
               el('span', {class: 'row-title'}, name), el('span', {class: 'row-detail'}, detail.filter(Boolean).join(' · '))),
            inside ? el('span', {class: state === 'ready' ? 'row-sign is-ready' : 'row-sign'}, icon('check'))
                   : iconButton('plus', t('add_to_conversation', {name}), () => chat.addDocument(id), {'data-focus': `add-${id}`}),
            menuButton(t('more_actions', {name}), () => [
              {icon: 'pages', label: t('viewer_toggle'), run: show},
              {icon: 'trash', label: t('delete'), danger: true, run: () => removeDocument(document)},
            ], {'data-focus': `menu-${id}`}));
}

async function removeDocument({id, name}) {
  if (!await confirmDialog(t('delete_document', {name}), t('delete'))) return;
  try {
    await documents.remove(id);
    if (chat.conversation.documents.includes(id)) chat.removeDocument(id);
  } catch (error) {
    report(error);
  }
}
