// What the page says aloud: toasts everyone sees, announcements only a screen reader hears, sentences for errors.
import {$, el, icon, iconButton} from './dom.js';
import {duration, t} from './i18n.js';

const SHOWN_MS = 6000;

export function announce(text) {
  const live = $('live');
  live.textContent = '';
  setTimeout(() => { live.textContent = text; }, 50);  // a change, even when the words are the same
}

// kind: 'note' | 'error'. Errors stay until they are dismissed.
export function toast(text, kind = 'note') {
  const box = el('div', {class: `toast toast-${kind}`}, icon(kind === 'error' ? 'warn' : 'check'), el('p', {}, text),
                 iconButton('close', t('dismiss'), () => box.remove()));
  $('toasts').append(box);
  while ($('toasts').children.length > 4) $('toasts').firstChild.remove();
  if (kind !== 'error') setTimeout(() => box.remove(), SHOWN_MS);
}

// The sentence of an error: the server's own where there is one.
export function sentence(error) {
  if (error.code === 'broken_stream') return t('error_stream');
  if (error.status === 429 && error.retryAfter) return t('error_busy', {time: duration(error.retryAfter * 1000)});
  if (error.message) return error.message;
  return error.status ? t('error_status', {status: String(error.status)}) : t('error_network');
}

export const report = (error) => error.name === 'AbortError' || toast(sentence(error), 'error');
