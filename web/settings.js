// What the user chose, kept in this browser. `settings` sends 'change' with the key that changed.
const STORE = 'glyph.settings';

export const DEFAULTS = Object.freeze({
  language: '',            // '' follows the browser, else en | zh
  theme: 'auto',           // auto | light | dark
  cache: true,             // reuse KV and features of earlier questions
  max_tokens: 2048,        // output length, tokens
  temperature: '',         // '' leaves sampling to the model's own configuration
  top_p: '',
  top_k: '',
  repetition_penalty: '',
  seed: '',
  dpi: 0,                  // 0 leaves it to the server's model, else 72 | 96 | 120
  font_size: 9,            // pt
  newline: 'break',        // break | mark
  zoom: 0,                 // 0 fits the width, else page pixels to CSS pixels
});

const LIMITS = {
  max_tokens: [1, 8192], temperature: [0, 2], top_p: [0.01, 1], top_k: [0, 1000], repetition_penalty: [0.5, 2],
  font_size: [6, 24], seed: [0, 2147483647],
};

class Settings extends EventTarget {
  #values = {...DEFAULTS, ...load()};

  get(key) { return this.#values[key]; }

  set(key, value) {
    if (this.#values[key] === value) return;
    this.#values[key] = value;
    store(this.#values);
    this.dispatchEvent(new CustomEvent('change', {detail: key}));
  }

  // A number from a form, held inside its limits; an empty field means the default, what is no number the old value.
  setNumber(key, text) {
    const value = Number(text);
    if (text === '') this.set(key, DEFAULTS[key]);
    if (text === '' || !Number.isFinite(value)) return;
    const [least, most] = LIMITS[key] || [-Infinity, Infinity];
    this.set(key, Math.min(most, Math.max(least, value)));
  }

  reset(keys) {
    for (const key of keys) this.set(key, DEFAULTS[key]);
  }

  limits(key) { return LIMITS[key]; }

  // The page style of the next upload, or null for the server's own default. All keys but the font are named, so that
  // the published defaults of absent keys (justified, wide margins) do not slip in.
  style() {
    const {dpi, font_size: size, newline} = this.#values;
    if (dpi === DEFAULTS.dpi && size === DEFAULTS.font_size && newline === DEFAULTS.newline) return null;
    return {
      ...(dpi ? {dpi} : {}), 'font-size': size, 'line-height': size + 1, 'margin-x': 10, 'margin-y': 10, 'alignment': 'LEFT',
      'auto-crop-width': true, 'auto-crop-last-page': true,
      'newline-markup': newline === 'mark' ? '<font color="#FF0000"> \\n </font>' : '<br/>',
    };
  }

  // The sampling half of a chat request.
  sampling() {
    const {max_tokens, cache} = this.#values;
    const body = {max_tokens};
    for (const key of ['temperature', 'top_p', 'top_k', 'repetition_penalty', 'seed']) {
      if (this.#values[key] !== '') body[key] = this.#values[key];
    }
    if (!cache) body.cache = false;
    return body;
  }
}

function load() {
  try {
    return JSON.parse(localStorage.getItem(STORE) || '{}') || {};
  } catch {
    return {};
  }
}

function store(values) {
  try {
    localStorage.setItem(STORE, JSON.stringify(values));
  } catch {
    // Private windows may refuse storage: the choice then lasts as long as the page.
  }
}

export const settings = new Settings();
