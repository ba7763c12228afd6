// The documents the server holds and the uploads on their way to it. Sends 'change' with the document that changed and
// 'list' when one came or went.
import {ApiError, call, events, upload} from './api.js';
import {settings} from './settings.js';
import {sentence} from './notify.js';
import {t} from './i18n.js';

const MOST_BYTES = 256 * 1024 * 1024;
const POLL_MS = 1000;

export const isDone = (document) => document.state === 'ready' || document.state === 'failed';

class Documents extends EventTarget {
  #known = new Map();      // id -> Document, newest first as the server lists them
  #followers = new Map();  // id -> AbortController of its event stream
  available = true;        // false: this server has no /v1/documents
  loaded = false;

  get(id) { return this.#known.get(id); }
  all() { return [...this.#known.values()].sort((a, b) => b.created_at - a.created_at); }

  async load() {
    try {
      const {data} = await call('GET', '/v1/documents');
      this.available = true;
      for (const [id, document] of this.#known) if (!document.local && !data.some((other) => other.id === id)) this.#known.delete(id);
      for (const document of data) this.#put(document);
    } catch (error) {
      if (error.missing) this.available = false;
      else if (error.status !== 401) throw error;
    } finally {
      this.loaded = true;
      this.#tell('list');
    }
  }

  // Sends one file. Calls `placed(oldId, newId)` when the server has given it an id; the old one is local.
  async upload(file, placed) {
    const stop = new AbortController();
    const local = this.#localCopy(file, stop);
    placed(null, local.id);
    try {
      refuse(file);
      const document = await upload(file, settings.style(), (sent) => this.#change(local, {sent}), stop.signal);
      this.#known.delete(local.id);
      const known = this.#known.has(document.id);
      this.#put(document);
      placed(local.id, document.id, known);
    } catch (error) {
      if (error.name === 'AbortError') {
        this.#known.delete(local.id);
        placed(local.id, null);
      } else {
        if (error.missing) this.available = false;
        this.#change(local, {state: 'failed', error: error.missing ? t('library_off') : sentence(error)});
      }
    }
    this.#tell('list');
  }

  #localCopy(file, stop) {
    const local = {
      id: `local_${crypto.getRandomValues(new Uint32Array(2)).join('_')}`, local: true, stop, sent: 0, name: file.name,
      bytes: file.size, created_at: Date.now() / 1000, state: 'uploading', error: null, warnings: [], pages: null,
    };
    this.#known.set(local.id, local);
    this.#tell('list');
    return local;
  }

  // Stops an upload, or deletes the document on the server.
  async remove(id) {
    const document = this.#known.get(id);
    if (document?.local) {
      document.stop.abort();
      if (document.state === 'failed') this.#known.delete(id);
    } else {
      await call('DELETE', `/v1/documents/${encodeURIComponent(id)}`);
      this.#followers.get(id)?.abort();
      this.#known.delete(id);
    }
    this.#tell('list');
  }

  // Resolves when every document is ready; rejects with the sentence of one that failed.
  whenReady(ids, signal) {
    return new Promise((resolve, reject) => {
      const check = () => {
        const documents = ids.map((id) => this.#known.get(id)).filter(Boolean);
        const failed = documents.find((document) => document.state === 'failed');
        if (failed) return end(() => reject(new ApiError(t('failed_announce', {name: failed.name, error: failed.error || ''}))));
        if (documents.every((document) => document.state === 'ready')) end(resolve);
      };
      const cancel = () => end(() => reject(new DOMException('', 'AbortError')));
      const end = (finish) => {
        this.removeEventListener('change', check);
        signal.removeEventListener('abort', cancel);
        finish();
      };
      this.addEventListener('change', check);
      signal.addEventListener('abort', cancel);
      check();
    });
  }

  #put(document) {
    this.#known.set(document.id, document);
    this.#tell('change', document);
    if (!isDone(document)) this.#follow(document.id);
  }

  #change(document, values) {
    Object.assign(document, values);
    this.#tell('change', document);
  }

  #tell(name, detail = null) { this.dispatchEvent(new CustomEvent(name, {detail})); }

  async #follow(id) {
    if (this.#followers.has(id)) return;
    const stop = new AbortController();
    this.#followers.set(id, stop);
    let streams = true;
    while (!stop.signal.aborted && this.#known.has(id) && !isDone(this.#known.get(id))) {
      try {
        if (streams) await this.#listen(id, stop.signal);
        if (!isDone(this.#known.get(id))) await this.#poll(id, stop.signal);
      } catch (error) {
        if (streams && error.missing) streams = false;
        else if (error.missing) this.#change(this.#known.get(id), {state: 'failed', error: sentence(error)});
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    this.#followers.delete(id);
  }

  async #listen(id, signal) {
    for await (const {event, data} of events('GET', `/v1/documents/${encodeURIComponent(id)}/events`, {signal})) {
      if (event === 'progress') this.#put(JSON.parse(data));
    }
  }

  async #poll(id, signal) {
    this.#put(await call('GET', `/v1/documents/${encodeURIComponent(id)}`, undefined, signal));
  }
}

function refuse(file) {
  if (file.size > MOST_BYTES) throw new ApiError(t('too_large', {name: file.name}));
  if (file.size === 0) throw new ApiError(t('empty_file', {name: file.name}));
}

export const documents = new Documents();
