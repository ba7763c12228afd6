// The question: a field that grows, files by button, drop or paste, send and stop.
import {$, el, icon, iconButton} from './dom.js';
import {chat} from './chat.js';
import {documents} from './documents.js';
import {t} from './i18n.js';
import {report, toast} from './notify.js';

const LONG_PASTE = 3000;   // characters from which a pasted text becomes a document
const TYPES = '.pdf,.docx,.txt,.md,.markdown,.html,.htm,.png,.jpg,.jpeg,.webp,text/*,application/pdf,image/*';

let picker = null;
let draft = '';

export function startComposer() {
  picker = el('input', {type: 'file', multiple: true, accept: TYPES, hidden: true, id: 'files', 'aria-label': t('attach'), tabindex: -1,
                        on: {change: () => { addFiles(picker.files); picker.value = ''; }}});
  document.body.append(picker);
  $('composer').addEventListener('submit', (event) => { event.preventDefault(); submit(); });
  for (const name of ['messages', 'done', 'open']) chat.addEventListener(name, drawSend);
  chat.addEventListener('documents', drawPlaceholder);
  chat.addEventListener('open', drawPlaceholder);
  window.addEventListener('paste', paste);
  watchDrop();
}

export const chooseFiles = () => picker.click();
export const focusQuestion = () => $('question')?.focus();

export function drawComposer() {
  draft = $('question')?.value ?? draft;
  const field = el('textarea', {id: 'question', rows: 1, 'aria-label': t('question'), 'aria-describedby': 'send-hint', enterkeyhint: 'send',
                                on: {input: grow, keydown: pressed}});
  field.value = draft;
  picker.setAttribute('aria-label', t('attach'));
  $('composer').replaceChildren(
      iconButton('attach', t('attach'), chooseFiles, {id: 'attach'}), field, el('span', {id: 'send-place'}),
      el('span', {id: 'send-hint', class: 'visually-hidden'}, t('hint_send')));
  drawPlaceholder();
  drawSend();
  grow();
}

function drawPlaceholder() {
  const field = $('question');
  if (field) field.placeholder = t(chat.conversation.documents.length ? 'question_placeholder' : 'question_placeholder_bare');
}

function drawSend() {
  const place = $('send-place');
  if (!place) return;
  const focused = place.contains(document.activeElement);
  const node = chat.busy
      ? iconButton('stop', t('stop'), () => chat.stop(), {id: 'stop', class: 'icon-button send stop'})
      : el('button', {type: 'submit', id: 'send', class: 'icon-button send', 'aria-label': t('send'), title: t('send')}, icon('send'));
  place.replaceChildren(node);
  if (focused) node.focus();
}

// As tall as its words, up to a third of the window.
function grow() {
  const field = $('question');
  field.style.height = 'auto';
  field.style.height = `${Math.min(field.scrollHeight, innerHeight / 3)}px`;
}

function pressed(event) {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  submit();
}

function submit() {
  const field = $('question');
  const text = field.value.trim();
  if (!text || chat.busy) return;
  field.value = '';
  grow();
  chat.ask(text).catch(report);
}

export function addFiles(files) {
  const {conversation} = chat;
  for (const file of files) {
    documents.upload(file, (oldId, newId, known) => {
      if (oldId === null) chat.addDocument(newId);
      else chat.replaceDocument(conversation, oldId, newId);
      if (known) toast(t('duplicate', {name: file.name}));
    }).catch(report);
  }
  focusQuestion();
}

function paste(event) {
  if (document.querySelector('dialog[open]')) return;
  const files = [...event.clipboardData.files];
  if (files.length) {
    event.preventDefault();
    addFiles(files);
    return;
  }
  const text = event.clipboardData.getData('text/plain');
  if (text.length < LONG_PASTE) return;
  event.preventDefault();
  addFiles([new File([text], `${t('pasted_name')}.txt`, {type: 'text/plain'})]);
  toast(t('pasted'));
}

function watchDrop() {
  let depth = 0;  // dragenter and dragleave come once for every element passed
  const carries = (event) => event.dataTransfer?.types.includes('Files');
  const show = (shown) => { $('drop').hidden = !shown; };
  window.addEventListener('dragenter', (event) => { if (carries(event)) { ++depth; show(true); } });
  window.addEventListener('dragleave', (event) => { if (carries(event) && --depth <= 0) { depth = 0; show(false); } });
  window.addEventListener('dragover', (event) => { if (carries(event)) event.preventDefault(); });
  window.addEventListener('drop', (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    addFiles(event.dataTransfer.files);
  });
}
