// Whether the server answers: a banner while it does not, a question every 3 s until it does again.
import {$, button, el, icon} from './dom.js';
import {key, link} from './api.js';
import {t} from './i18n.js';
import {announce} from './notify.js';

const RETRY_MS = 3000;
let state = 'up';  // up | down | key
let timer = 0;

// `back` runs when the server answers again, `askKey` when the user wants to enter a key.
export function watchLink({back, askKey}) {
  link.addEventListener('unreachable', () => show('down'));
  link.addEventListener('reached', () => { if (state === 'down') { show('up'); announce(t('online')); back(); } });
  link.addEventListener('key', () => show('key'));
  window.addEventListener('offline', probe);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) probe(); });
  setInterval(() => { if (!document.hidden && state === 'up') probe(); }, 20000);
  redraw = () => draw(askKey);
}

let redraw = () => {};
export const redrawLink = () => redraw();
export const keyAccepted = () => { if (state === 'key') show('up'); };
export const isDown = () => state === 'down';

function show(next) {
  if (next === 'down') {
    clearTimeout(timer);
    timer = setTimeout(probe, RETRY_MS);
  }
  if (next === state) return;
  state = next;
  redraw();
}

async function probe() {
  try {
    await fetch('/health', {cache: 'no-store', headers: key.get() ? {Authorization: `Bearer ${key.get()}`} : {}});
    link.dispatchEvent(new Event('reached'));
  } catch {
    link.dispatchEvent(new Event('unreachable'));
  }
}

function draw(askKey) {
  const banner = $('banner');
  banner.hidden = state === 'up';
  banner.replaceChildren(...({
    up: () => [],
    down: () => [icon('offline'), el('p', {}, el('strong', {}, t('offline_title')), ' ', t('offline_text')),
                 button(t('retry'), probe)],
    key: () => [icon('warn'), el('p', {}, t('key_needed')), button(t('key_enter'), askKey)],
  })[state]());
}
