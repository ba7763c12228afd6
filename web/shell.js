// The frame: side panels that open and close, theme and language, the keys of the whole page.
import {$} from './dom.js';
import {chat} from './chat.js';
import {focusSearch} from './history_view.js';
import {language, t} from './i18n.js';
import {settings} from './settings.js';

const WIDE = matchMedia('(min-width: 75rem)');      // three columns
const MEDIUM = matchMedia('(min-width: 52rem)');    // conversations beside the talk
const THEMES = ['auto', 'light', 'dark'];
const state = {history: false, viewer: false};      // open as a drawer, or, where there is room, as a column

let opened = () => {};  // tells that the pages came into view by their button

export function startShell({viewerOpened}) {
  opened = viewerOpened;
  state.history = MEDIUM.matches;
  $('toggle-history').addEventListener('click', () => toggle('history'));
  $('toggle-viewer').addEventListener('click', () => toggle('viewer'));
  $('scrim').addEventListener('click', closeDrawers);
  $('theme').addEventListener('click', () => settings.set('theme', THEMES[(THEMES.indexOf(settings.get('theme')) + 1) % THEMES.length]));
  $('language').addEventListener('click', () => settings.set('language', language() === 'zh' ? 'en' : 'zh'));
  for (const query of [WIDE, MEDIUM]) query.addEventListener('change', () => { state.history = MEDIUM.matches; state.viewer &&= WIDE.matches; apply(); });
  document.addEventListener('keydown', pressed);
  drawShell();
  apply();
}

export function drawShell() {
  const theme = settings.get('theme');
  window.glyphTheme(theme);
  name($('theme'), t(`theme_${theme}`));
  const other = language() === 'zh' ? 'en' : 'zh';
  name($('language'), t('switch_language'));
  $('language').textContent = other === 'zh' ? '中文' : 'EN';
  $('language').lang = other;
}

function name(node, text) {
  node.setAttribute('aria-label', text);
  node.title = text;
}

const isDrawer = (panel) => !(panel === 'history' ? MEDIUM : WIDE).matches;

export function openViewer() {
  state.viewer = true;
  if (isDrawer('history')) state.history = false;
  apply();
  if (isDrawer('viewer')) $('viewer').querySelector('select, button')?.focus();
}

export function closeViewer() { close('viewer'); }
export function closeHistory() { if (isDrawer('history')) close('history'); }

function close(panel) {
  const inside = $(panel).contains(document.activeElement);
  state[panel] = false;
  apply();
  if (inside) $(`toggle-${panel}`).focus();
}

function toggle(panel) {
  if (state[panel]) { close(panel); return; }
  if (isDrawer(panel)) for (const other of ['history', 'viewer']) if (isDrawer(other)) state[other] = false;
  state[panel] = true;
  if (panel === 'viewer') opened();
  apply();
  if (isDrawer(panel)) $(panel).querySelector('button, input, select')?.focus();
}

function closeDrawers() {
  for (const panel of ['history', 'viewer']) if (isDrawer(panel) && state[panel]) close(panel);
}

// A closed panel is out of the focus order; behind an open drawer nothing else can be reached.
function apply() {
  for (const panel of ['history', 'viewer']) {
    $(panel).hidden = !state[panel];
    $(`toggle-${panel}`).setAttribute('aria-expanded', String(state[panel]));
    $(panel).classList.toggle('drawer', isDrawer(panel));
  }
  const covered = ['history', 'viewer'].some((panel) => state[panel] && isDrawer(panel));
  $('scrim').hidden = !covered;
  $('talk').inert = covered;
  document.body.classList.toggle('with-viewer', state.viewer && !isDrawer('viewer'));
  document.body.classList.toggle('with-history', state.history && !isDrawer('history'));
  window.dispatchEvent(new Event('resize'));
}

function pressed(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    if (!state.history) toggle('history');
    focusSearch();
  }
  if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  if (!$('scrim').hidden) closeDrawers();
  else if (chat.busy) chat.stop();
  else if (state.viewer) closeViewer();
}
