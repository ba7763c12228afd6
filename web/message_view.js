// One question or answer: words, thinking, marks of quotations, places, figures, what can be done with it.
import {button, el, icon, iconButton} from './dom.js';
import {chat} from './chat.js';
import {documents} from './documents.js';
import {t} from './i18n.js';
import {markdown} from './markdown.js';
import {gather, locate, mark} from './quotes.js';
import {statsStrip} from './stats.js';
import {report, toast} from './notify.js';

const SHOWN_PLACES = 12;

export class MessageView {
  #body = null;      // where the Markdown goes
  #thought = null;   // <details> of the thinking
  #editing = false;

  // `nav.showPlaces(places, quote)` shows boxes on pages.
  constructor(index, nav) {
    this.index = index;
    this.nav = nav;
    this.node = el('article', {class: 'message'});
    this.draw();
  }

  get message() { return chat.messages[this.index]; }

  draw() {
    const {role} = this.message;
    this.node.className = `message ${role}`;
    this.node.setAttribute('aria-label', t(role === 'user' ? 'message_you' : 'message_answer', {n: Math.floor(this.index / 2) + 1}));
    if (role === 'user') this.#drawQuestion();
    else this.#drawAnswer();
  }

  #drawQuestion() {
    const edit = iconButton('edit', t('edit'), () => this.#edit(), {'data-act': 'edit'});
    this.node.replaceChildren(el('div', {class: 'bubble'}, this.message.content), el('div', {class: 'actions'}, edit));
  }

  #edit() {
    if (this.#editing) return;
    this.#editing = true;
    const field = el('textarea', {rows: 3, 'aria-label': t('edit_field'), class: 'edit-field'});
    field.value = this.message.content;
    const leave = () => { this.#editing = false; this.draw(); this.node.querySelector('[data-act=edit]')?.focus(); };
    const submit = () => { if (field.value.trim()) { this.#editing = false; chat.edit(this.index, field.value.trim()).catch(report); } };
    field.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') { event.stopPropagation(); leave(); }
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
    });
    this.node.replaceChildren(field, el('div', {class: 'edit-actions'}, button(t('cancel'), leave),
                                        button(t('edit_send'), submit, {class: 'button primary'})));
    field.focus();
  }

  #drawAnswer() {
    const {message} = this;
    const running = message.state !== undefined;
    this.#body = el('div', {class: 'prose'});
    this.#thought = null;
    this.extra = el('div', {class: 'message-extra'});
    this.node.replaceChildren(this.#body, this.extra);
    this.node.setAttribute('aria-busy', String(running));
    this.update();
    if (!running) this.#finish();
  }

  // The words so far; called as they arrive.
  update() {
    const {content, reasoning_content: thought, state} = this.message;
    if (thought) this.#drawThought(thought, !content && state !== undefined);
    if (content) this.#body.replaceChildren(...markdown(content));
    else if (state) this.#body.replaceChildren(waiting(thought ? null : state));
    else this.#body.replaceChildren();
    this.#body.classList.toggle('writing', state === 'writing' && Boolean(content));
  }

  #drawThought(thought, running) {
    if (!this.#thought) {
      this.#thought = el('details', {class: 'thought'}, el('summary', {}, icon('right'), el('span', {})), el('div', {class: 'thought-words'}));
      this.node.prepend(this.#thought);
    }
    this.#thought.classList.toggle('running', running);
    this.#thought.querySelector('summary span').textContent = t(running ? 'thinking' : 'thought');
    this.#thought.lastChild.textContent = thought;
  }

  #finish() {
    const {message} = this;
    const notes = {stopped: 'stopped', length: 'cut'};
    this.extra.replaceChildren();
    if (message.error !== undefined) this.extra.append(this.#errorBox(message.error));
    else if (notes[message.ending]) this.extra.append(el('p', {class: 'note'}, t(notes[message.ending])));
    this.places = el('div', {class: 'places', hidden: true});
    const strip = statsStrip(message.glyph, message.first_ms);
    this.extra.append(this.places, el('div', {class: 'actions'}, this.#copyButton(), this.#againButton()));
    if (strip) this.extra.append(strip);
    if (message.content && message.error === undefined) this.#locate();
  }

  #errorBox(sentence) {
    return el('div', {class: 'error-box', role: 'alert'}, icon('warn'), el('p', {}, sentence),
              button(t('retry'), () => chat.regenerate(this.index).catch(report)));
  }

  #copyButton() {
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(this.message.content);
        toast(t('copied'));
      } catch {
        toast(t('copy_failed'), 'error');
      }
    };
    return this.message.content ? iconButton('copy', t('copy'), copy) : '';
  }

  #againButton() {
    return iconButton('again', t('regenerate'), () => chat.regenerate(this.index).catch(report), {'data-act': 'again'});
  }

  // Looks the quotations up once; a redraw in another language uses what was found.
  async #locate() {
    const {message} = this;
    const question = chat.messages[this.index - 1]?.content ?? '';
    const quotes = gather(this.#body, question);
    const ids = chat.conversation.documents.filter((id) => documents.get(id)?.state === 'ready');
    if (!quotes.length || !ids.length) return;
    try {
      message.places ??= await locate(quotes, ids);
    } catch {
      return;
    }
    if (!message.places || !this.#body.contains(quotes[0].block)) return;
    mark(quotes, message.places, (quote) => this.nav.showPlaces(message.places.get(quote.text), quote.text));
    this.#drawPlaces(quotes, message.places);
  }

  #drawPlaces(quotes, places) {
    const texts = [...new Set(quotes.filter((q) => q.certain || places.get(q.text).length).map((q) => q.text))];
    if (!texts.length) return;
    const items = texts.slice(0, SHOWN_PLACES).map((text) => el('li', {}, places.get(text).length ? this.#place(text, places.get(text)) : missing(text)));
    this.places.hidden = false;
    this.places.replaceChildren(el('h3', {class: 'places-title'}, icon('pin'), t('quotes')), el('ul', {}, ...items));
    this.node.dispatchEvent(new CustomEvent('placed', {bubbles: true}));
  }

  #place(text, list) {
    const {page, document} = list[0];
    const name = documents.get(document)?.name ?? '';
    return el('button', {type: 'button', class: 'place', 'aria-label': t('quote_open', {quote: text, page, name}),
                         on: {click: () => this.nav.showPlaces(list, text)}},
              el('span', {class: 'place-page'}, t('place_page', {page})), el('span', {class: 'place-words'}, text));
  }
}

function missing(text) {
  return el('span', {class: 'place missing', title: t('quote_missing_long', {quote: text})}, el('span', {class: 'place-page'}, icon('warn'), t('quote_missing')),
            el('span', {class: 'place-words'}, text));
}

function waiting(state) {
  const key = {waiting: 'waiting_documents', asked: 'waiting_first'}[state];
  return el('p', {class: 'waiting'}, el('span', {class: 'dots', 'aria-hidden': 'true'}, el('i'), el('i'), el('i')), key ? t(key) : t('thinking'));
}
