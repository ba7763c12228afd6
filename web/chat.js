// The open conversation: asks, streams, stops, asks again. Sends 'open' (another conversation), 'messages' (their
// number changed), 'message' with an index (its words changed), 'done' with an index, 'documents' and 'title'.
import {call, events} from './api.js';
import {conversations} from './conversations.js';
import {documents} from './documents.js';
import {sentence} from './notify.js';
import {settings} from './settings.js';

const TITLE_LENGTH = 60;

const empty = () => ({id: null, title: '', documents: [], messages: []});

class Chat extends EventTarget {
  conversation = empty();
  model = null;
  #stop = null;  // AbortController of the running answer

  get busy() { return this.#stop !== null; }
  get messages() { return this.conversation.messages; }

  async loadModel() {
    const {data} = await call('GET', '/v1/models');
    this.model = data[0]?.id ?? null;
  }

  start() {
    this.stop();
    this.conversation = empty();
    this.#tell('open');
  }

  async open(id) {
    this.stop();
    this.conversation = {documents: [], messages: [], ...await conversations.open(id)};
    this.#tell('open');
  }

  // `ids` may be local ones of running uploads; replace() gives them the server's.
  addDocument(id) {
    if (this.conversation.documents.includes(id)) return;
    this.conversation.documents.push(id);
    this.#documentsChanged();
  }

  removeDocument(id) {
    this.conversation.documents = this.conversation.documents.filter((other) => other !== id);
    this.#documentsChanged();
  }

  replaceDocument(conversation, oldId, newId) {
    const ids = conversation.documents.map((id) => (id === oldId ? newId : id)).filter(Boolean);
    conversation.documents = [...new Set(ids)];
    if (conversation === this.conversation) this.#documentsChanged();
  }

  #documentsChanged() {
    this.#tell('documents');
    if (this.conversation.id && !this.busy) this.#save(this.conversation);
  }

  ask(text) {
    if (!this.messages.length && !this.conversation.title) this.#title(text);
    this.messages.push({role: 'user', content: text});
    return this.#answer();
  }

  // Replaces the question at `index` and everything after it.
  edit(index, text) {
    this.messages.splice(index);
    return this.ask(text);
  }

  // Answers again: drops the answer at `index` and everything after it.
  regenerate(index) {
    this.messages.splice(index);
    return this.#answer();
  }

  stop() { this.#stop?.abort(); }

  #title(text) {
    const line = text.trim().replace(/\s+/g, ' ');
    this.conversation.title = line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH - 1)}…` : line;
    this.#tell('title');
  }

  async #answer() {
    this.stop();
    const stop = this.#stop = new AbortController();
    const {conversation} = this;
    const message = {role: 'assistant', content: '', state: 'waiting'};
    conversation.messages.push(message);
    const index = conversation.messages.length - 1;
    this.#tell('messages');
    const update = () => { if (conversation === this.conversation) this.#tell('message', index); };
    try {
      await documents.whenReady(conversation.documents, stop.signal);
      message.state = 'asked';
      update();
      await this.#stream(conversation, message, update, stop.signal);
    } catch (error) {
      if (error.name === 'AbortError') message.ending = 'stopped';
      else message.error = sentence(error);
    }
    delete message.state;
    if (this.#stop === stop) this.#stop = null;
    if (conversation === this.conversation) this.#tell('done', index);
    await this.#save(conversation);
  }

  async #stream(conversation, message, update, signal) {
    const started = performance.now();
    const body = {
      model: this.model ?? 'glyph', messages: spoken(conversation.messages.slice(0, -1)), documents: conversation.documents,
      stream: true, stream_options: {include_usage: true}, ...settings.sampling(),
    };
    let ended = false;
    for await (const {data} of events('POST', '/v1/chat/completions', {body, signal})) {
      if (data === '[DONE]') { ended = true; continue; }
      const chunk = JSON.parse(data);
      if (chunk.error) throw Object.assign(new Error(chunk.error.message), {status: 500});
      take(chunk, message, started);
      if (message.ending !== undefined) ended = true;
      update();
    }
    if (!ended) throw Object.assign(new Error(''), {code: 'broken_stream'});
  }

  async #save(conversation) {
    const {messages} = conversation;
    if (!messages.length) return;
    const copy = {...conversation, messages: messages.filter((m) => !m.error && (m.content || m.role === 'user')).map(stored),
                  documents: conversation.documents.filter((id) => !id.startsWith('local_'))};
    try {
      await conversations.save(copy);
      Object.assign(conversation, {id: copy.id, created_at: copy.created_at, updated_at: copy.updated_at});
      this.#tell('title');
    } catch (error) {
      this.#tell('unsaved', error);
    }
  }

  #tell(name, detail = null) { this.dispatchEvent(new CustomEvent(name, {detail})); }
}

// One chunk of the stream into the message.
function take(chunk, message, started) {
  const choice = chunk.choices?.[0];
  const delta = choice?.delta ?? {};
  if (delta.reasoning_content) message.reasoning_content = (message.reasoning_content ?? '') + delta.reasoning_content;
  if (delta.content) message.content += delta.content;
  if (delta.content || delta.reasoning_content) {
    message.state = 'writing';
    message.first_ms ??= performance.now() - started;
  }
  if (choice?.finish_reason) message.ending = choice.finish_reason;
  if (chunk.glyph) message.glyph = {...message.glyph, ...chunk.glyph};
  if (chunk.usage) {
    const {completion_tokens} = chunk.usage;
    message.glyph = {...message.glyph, ...(completion_tokens >= 0 && {completion_tokens})};
  }
}

// What the model is told of earlier turns: words only, no thoughts, nothing of failed turns.
const spoken = (messages) => messages.filter((m) => !m.error && m.content).map(({role, content}) => ({role, content}));

// What the server keeps of a message.
const stored = ({role, content, reasoning_content, glyph}) =>
  ({role, content, ...(reasoning_content && {reasoning_content}), ...(glyph && {glyph})});

export const chat = new Chat();
