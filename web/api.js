// The server's HTTP, as calls: JSON requests, event streams, uploads with progress, page images. Every failure is an
// ApiError with a sentence. Knows the API key (this tab only) and which routes the server does not have.
const KEY = 'glyph.key';

export class ApiError extends Error {
  constructor(message, {status = 0, code = null, retryAfter = 0} = {}) {
    super(message);
    this.status = status;          // 0: the server was not reached
    this.code = code;
    this.retryAfter = retryAfter;  // seconds
  }

  // The route does not exist on this server: hide what needs it.
  get missing() { return this.status === 404 || this.status === 405 || this.status === 501; }
}

// 'reached', 'unreachable' and 'key' tell the shell how the server stands.
export const link = new EventTarget();
const tell = (name) => link.dispatchEvent(new Event(name));

export const key = {
  get: () => { try { return sessionStorage.getItem(KEY) || ''; } catch { return ''; } },
  set: (value) => { try { sessionStorage.setItem(KEY, value); } catch { /* lasts for no request then */ } },
};

const headers = (more = {}) => (key.get() ? {...more, Authorization: `Bearer ${key.get()}`} : more);

async function send(method, path, {body, signal, accept = 'application/json'} = {}) {
  const init = {method, signal, headers: headers({Accept: accept}), cache: 'no-store'};
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    tell('unreachable');
    throw new ApiError('');
  }
  tell('reached');
  if (!response.ok) throw failure(response.status, await response.text(), response.headers.get('Retry-After'));
  return response;
}

function failure(status, text, retryAfter) {
  if (status === 401) tell('key');
  const details = {status, retryAfter: Number(retryAfter) || 0};
  try {
    const {error} = JSON.parse(text);
    return new ApiError(error.message || '', {...details, code: error.code ?? null});
  } catch {
    return new ApiError('', details);
  }
}

export async function call(method, path, body, signal) {
  return (await send(method, path, {body, signal})).json();
}

export async function text(path, signal) {
  return (await send('GET', path, {signal, accept: 'text/plain'})).text();
}

// A page image as an address for <img>: the plain one, or a blob when the request must carry a key.
export async function imageAddress(path, signal) {
  if (!key.get()) return path;
  const response = await send('GET', path, {signal, accept: 'image/png'});
  return URL.createObjectURL(await response.blob());
}

// Yields {event, data} of a text/event-stream until it ends.
export async function* events(method, path, {body, signal} = {}) {
  const response = await send(method, path, {body, signal, accept: 'text/event-stream'});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError('', {code: 'broken_stream'});
  } finally {
    reader.cancel().catch(() => {});
  }
}

// Splits a stream of text into events, whatever the borders of its pieces (HTML standard, section 9.2.6).
export class EventParser {
  #rest = '';
  #event = 'message';
  #data = [];

  * push(piece) {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) {
      const event = this.#line(line);
      if (event) yield event;
    }
  }

  #line(line) {
    if (line === '') return this.#flush();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    if (field === 'data') this.#data.push(value);
    return null;
  }

  #flush() {
    const event = this.#data.length ? {event: this.#event, data: this.#data.join('\n')} : null;
    this.#event = 'message';
    this.#data = [];
    return event;
  }
}

// POST /v1/documents with one file; `progress(fraction)` while its bytes travel, which fetch cannot tell.
export function upload(file, style, progress, signal) {
  return new Promise((resolve, reject) => {
    const form = new FormData();
    form.append('file', file, file.name);
    if (style) form.append('style', JSON.stringify(style));
    const request = new XMLHttpRequest();
    request.open('POST', '/v1/documents');
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => settle(request, resolve, reject);
    request.onerror = () => { tell('unreachable'); reject(new ApiError('')); };
    request.onabort = () => reject(new DOMException('', 'AbortError'));
    signal.addEventListener('abort', () => request.abort());
    request.send(form);
  });
}

function settle(request, resolve, reject) {
  tell('reached');
  if (request.status >= 300) {
    reject(failure(request.status, request.responseText, request.getResponseHeader('Retry-After')));
    return;
  }
  try {
    const answer = JSON.parse(request.responseText);
    resolve(answer.data ? answer.data[0] : answer);  // one file, though a list is allowed for several
  } catch {
    reject(new ApiError('', {status: request.status}));
  }
}
