// A conversation as a file: Markdown for people, JSON for programs.
import {documents} from './documents.js';
import {download} from './dom.js';
import {language, t} from './i18n.js';
import {toast} from './notify.js';

export function exportConversation(conversation, format) {
  const name = `${fileName(conversation.title || t('untitled'))}.${format === 'json' ? 'json' : 'md'}`;
  if (format === 'json') download(name, 'application/json', JSON.stringify(asObject(conversation), null, 2) + '\n');
  else download(name, 'text/markdown', asMarkdown(conversation));
  toast(t('exported', {name}));
}

// Letters, digits and spaces of the title; never a path.
const fileName = (title) => title.replace(/[^\p{L}\p{N} _-]+/gu, ' ').replace(/\s+/g, ' ').trim().slice(0, 60) || 'conversation';

const about = (id) => documents.get(id) ?? {id, name: id};

export function asObject({id, title, created_at, updated_at, documents: ids, messages}) {
  return {
    id, title, created_at, updated_at,
    documents: ids.map(about).map(({id: document, name, bytes, pages, text_tokens, image_tokens, compression, dpi}) =>
      ({id: document, name, bytes, pages, text_tokens, image_tokens, compression, dpi})),
    messages: messages.map(({role, content, reasoning_content, glyph}) => ({role, content, reasoning_content, glyph})),
  };
}

export function asMarkdown({title, documents: ids, messages}) {
  const lines = [`# ${title || t('untitled')}`, ''];
  for (const {name, pages} of ids.map(about)) lines.push(`- ${name}${pages ? `${language() === 'zh' ? '，' : ', '}${t('pages', {n: pages})}` : ''}`);
  if (ids.length) lines.push('');
  for (const {role, content, reasoning_content: thought} of messages) {
    lines.push(`## ${t(role === 'user' ? 'question' : 'answer')}`, '');
    if (thought) lines.push(...thought.trim().split('\n').map((line) => `> ${line}`), '');
    lines.push(content.trim(), '');
  }
  return lines.join('\n');
}
