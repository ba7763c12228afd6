// The settings: how pages are drawn with a live preview, answers and sampling, the server's key, the keyboard.
import {$, button, debounce, el, icon} from './dom.js';
import {call, key, text as fetchText} from './api.js';
import {openDialog} from './dialogs.js';
import {number, ratio, t} from './i18n.js';
import {sentence} from './notify.js';
import {settings} from './settings.js';
import {chat} from './chat.js';
import {documents} from './documents.js';

const SAMPLE = ('The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过了懒狗。\n' +
                'Pages are drawn as dense images; one visual token stands for three to four text tokens.\n').repeat(24);
const MOST_TEXT = 20000;  // characters of a document that the preview draws
const CHOSEN = ['cache', 'max_tokens', 'temperature', 'top_p', 'top_k', 'repetition_penalty', 'seed', 'dpi', 'font_size', 'newline'];

let version = '';
let source = {id: null, text: SAMPLE};

async function showVersion() {
  try {
    version ||= (await call('GET', '/version')).version ?? '';
  } catch {
    version = '';
  }
  $('version')?.replaceChildren(version ? t('set_version', {version}) : '');
}

// `keyChanged` runs when the user entered another API key.
export function openSettings(keyChanged) {
  const body = el('div', {class: 'settings'}, readingSection(), el('div', {class: 'settings-column'}, answerSection(), serverSection(keyChanged), keyboardSection()));
  const reset = button(t('set_reset'), () => { settings.reset(CHOSEN); dialog.close(); openSettings(keyChanged); }, {}, 'again');
  const dialog = openDialog(t('settings'), body, {className: 'large', actions: [reset]});
  preparePreview();
  showVersion();
}

const section = (title, ...children) => el('section', {}, el('h3', {}, title), ...children);

function field(label, control, help) {
  return el('div', {class: 'field'}, el('label', {for: control.id}, label), control, help ? el('p', {class: 'help'}, help) : null);
}

function choice(name, label, options) {
  const change = (value) => { settings.set(name, value); preview(); };
  return el('fieldset', {class: 'choice'}, el('legend', {}, label), el('div', {class: 'segments'}, ...options.map(([value, text]) => el('label', {},
    el('input', {type: 'radio', name, value, checked: settings.get(name) === value, on: {change: () => change(value)}}), el('span', {}, text)))));
}

function numberInput(name, step) {
  const [least, most] = settings.limits(name);
  const input = el('input', {id: `set-${name}`, type: 'number', min: least, max: most, step, value: settings.get(name), placeholder: t('set_own'),
                             on: {change: () => { settings.setNumber(name, input.value); input.value = settings.get(name); }}});
  return input;
}

function readingSection() {
  const size = el('input', {id: 'set-font-size', type: 'range', min: 6, max: 16, step: 0.5, value: settings.get('font_size'),
                            on: {input: () => { settings.setNumber('font_size', size.value); sizeText.textContent = t('set_font_unit', {n: String(settings.get('font_size'))}); preview(); }}});
  const sizeText = el('output', {for: 'set-font-size'}, t('set_font_unit', {n: String(settings.get('font_size'))}));
  return section(t('set_reading'), el('p', {class: 'help'}, t('set_reading_help')),
    choice('dpi', t('set_dpi'), [[0, t('set_dpi_own')], ...[72, 96, 120].map((dpi) => [dpi, t('set_dpi_unit', {n: dpi})])]),
    el('div', {class: 'field'}, el('div', {class: 'label-row'}, el('label', {for: 'set-font-size'}, t('set_font')), sizeText), size),
    choice('newline', t('set_newline'), [['break', t('set_newline_break')], ['mark', t('set_newline_mark')]]),
    el('figure', {class: 'preview'}, el('figcaption', {}, el('strong', {}, t('set_preview')), el('span', {id: 'preview-figures', role: 'status'})),
       el('div', {id: 'preview-sheet', class: 'preview-sheet', tabindex: 0, role: 'region', 'aria-label': t('set_preview')})));
}

function answerSection() {
  const cache = el('input', {id: 'set-cache', type: 'checkbox', role: 'switch', checked: settings.get('cache'),
                             on: {change: () => settings.set('cache', cache.checked)}});
  return section(t('set_answer'),
    el('div', {class: 'field'}, el('label', {class: 'switch', for: 'set-cache'}, cache, el('span', {}, t('set_cache'))), el('p', {class: 'help'}, t('set_cache_help'))),
    field(t('set_length'), numberInput('max_tokens', 1)),
    el('h4', {}, t('set_sampling')),
    el('div', {class: 'field-grid'}, field(t('set_temperature'), numberInput('temperature', 'any')), field(t('set_top_p'), numberInput('top_p', 'any')),
       field(t('set_top_k'), numberInput('top_k', 1)), field(t('set_repetition'), numberInput('repetition_penalty', 'any'))),
    field(t('set_seed'), numberInput('seed', 1), t('set_own_help')));
}

function serverSection(keyChanged) {
  const input = el('input', {id: 'set-key', type: 'password', value: key.get(), autocomplete: 'off', spellcheck: 'false',
                             on: {change: () => { key.set(input.value.trim()); keyChanged(); }}});
  return section(t('set_server'), el('form', {on: {submit: (event) => event.preventDefault()}}, field(t('set_key'), input, t('set_key_help'))), el('p', {class: 'help', id: 'version'}));
}

function keyboardSection() {
  const rows = [['Ctrl K', 'key_search'], ['Esc', 'key_stop'], ['← →', 'key_pages'], ['+ − 0', 'key_zoom']];
  return section(t('set_keys'), el('dl', {class: 'keys'}, ...rows.map(([keys, name]) => el('div', {}, el('dt', {}, el('kbd', {}, keys)), el('dd', {}, t(name))))));
}

// The preview draws the start of the conversation's first document, else a sample.
async function preparePreview() {
  const document = chat.conversation.documents.map((id) => documents.get(id)).find((one) => one?.state === 'ready');
  if (!document) source = {id: null, text: SAMPLE};
  else if (source.id !== document.id) {
    try {
      source = {id: document.id, text: (await fetchText(`/v1/documents/${encodeURIComponent(document.id)}/text`)).slice(0, MOST_TEXT) || SAMPLE};
    } catch {
      source = {id: null, text: SAMPLE};
    }
  }
  renderPreview();
}

const preview = debounce(() => renderPreview(), 250);
let running = null;

async function renderPreview() {
  running?.abort();
  const stop = running = new AbortController();
  const sheet = $('preview-sheet');
  if (!sheet) return;
  sheet.setAttribute('aria-busy', 'true');
  const style = settings.style();
  try {
    show(await call('POST', '/v1/render', {text: source.text, page: 1, ...(style && {style})}, stop.signal));
  } catch (error) {
    if (error.name === 'AbortError') return;
    $('preview-figures')?.replaceChildren();
    $('preview-sheet')?.replaceChildren(el('p', {class: 'viewer-empty'}, icon('warn'), error.missing ? t('set_preview_off') : sentence(error)));
  }
  $('preview-sheet')?.removeAttribute('aria-busy');
}

function show({png, width, height, pages, text_tokens: words, image_tokens: images, compression}) {
  const image = el('img', {src: `data:image/png;base64,${png}`, width, height, alt: t('set_preview_alt')});
  $('preview-sheet')?.replaceChildren(image);
  $('preview-figures')?.replaceChildren(el('b', {}, ratio(compression)), ' ',
    t('set_preview_figures', {text: number(words), image: number(images), pages: t('pages', {n: pages})}),
    source.id ? '' : ` ${t('set_preview_sample')}`);
}
