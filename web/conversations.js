// The conversations the server keeps, or, where it keeps none, those of this page. Sends 'list' when the list changed.
import {call} from './api.js';

const path = (id) => `/v1/conversations/${encodeURIComponent(id)}`;

class Conversations extends EventTarget {
  #list = [];   // newest first, without messages
  #here = new Map();  // id -> whole conversation, when the server keeps none
  kept = true;
  loaded = false;

  all() { return this.#list; }

  async load() {
    try {
      const {data} = await call('GET', '/v1/conversations');
      this.kept = true;
      this.#list = data;
    } catch (error) {
      if (error.missing) this.kept = false;
      else if (error.status !== 401) throw error;
    } finally {
      this.loaded = true;
      this.#changed();
    }
  }

  async open(id) {
    return this.kept ? call('GET', path(id)) : structuredClone(this.#here.get(id));
  }

  // Creates it when it has no id yet; gives it one.
  async save(conversation) {
    const {title, documents, messages} = conversation;
    const body = {title, documents, messages};
    const now = Math.floor(Date.now() / 1000);
    if (!this.kept) this.#saveHere(conversation, now);
    else if (conversation.id) await call('PUT', path(conversation.id), body);
    else Object.assign(conversation, {id: (await call('POST', '/v1/conversations', body)).id});
    conversation.created_at ??= now;
    conversation.updated_at = now;
    this.#listFirst(conversation);
  }

  #saveHere(conversation, now) {
    conversation.id ||= `here_${now}_${this.#here.size}`;
    this.#here.set(conversation.id, structuredClone(conversation));
  }

  #listFirst({id, title, documents, created_at, updated_at}) {
    const others = this.#list.filter((other) => other.id !== id);
    this.#list = [{id, title, documents, created_at, updated_at}, ...others];
    this.#changed();
  }

  async rename(id, title) {
    const conversation = await this.open(id);
    const {documents, messages} = conversation;
    if (this.kept) await call('PUT', path(id), {title, documents, messages});
    else this.#here.get(id).title = title;
    for (const entry of this.#list) if (entry.id === id) entry.title = title;
    this.#changed();
  }

  async remove(id) {
    if (this.kept) await call('DELETE', path(id));
    this.#here.delete(id);
    this.#list = this.#list.filter((entry) => entry.id !== id);
    this.#changed();
  }

  #changed() { this.dispatchEvent(new Event('list')); }
}

export const conversations = new Conversations();
