// Small questions to the user: a dialog with one field or a yes, and a menu of actions at a button.
import {button, el, icon, iconButton} from './dom.js';
import {t} from './i18n.js';

// A modal <dialog> with a name, closed by Escape, its cross or a click beside it; removed and focus returned after.
export function openDialog(title, body, {className = '', actions = []} = {}) {
  const heading = el('h2', {id: `dialog-title-${++count}`}, title);
  const close = () => dialog.close();
  const dialog = el('dialog', {class: `dialog ${className}`, 'aria-labelledby': heading.id},
                    el('header', {}, heading, iconButton('close', t('close'), close)),
                    el('div', {class: 'dialog-body'}, body),
                    actions.length ? el('footer', {}, ...actions) : null);
  dialog.addEventListener('click', (event) => { if (event.target === dialog) close(); });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
let count = 0;

// Resolves true when the user confirms.
export function confirmDialog(title, action) {
  return new Promise((resolve) => {
    const yes = button(action, () => { resolve(true); dialog.close(); }, {class: 'button danger'});
    const no = button(t('cancel'), () => dialog.close());
    const dialog = openDialog(action, el('p', {}, title), {className: 'small', actions: [no, yes]});
    dialog.addEventListener('close', () => resolve(false));
    no.focus();
  });
}

// Resolves to the text, or null when the user turned away.
export function promptDialog(title, label, value, type = 'text') {
  return new Promise((resolve) => {
    const input = el('input', {type, value, id: 'prompt-field', maxlength: 200, autocomplete: 'off'});
    const submit = (event) => { event.preventDefault(); resolve(input.value.trim()); dialog.close(); };
    const form = el('form', {id: 'prompt-form', class: 'field', on: {submit}}, el('label', {for: 'prompt-field'}, label), input);
    const save = el('button', {type: 'submit', form: 'prompt-form', class: 'button primary'}, t('save'));
    const dialog = openDialog(title, form, {className: 'small', actions: [button(t('cancel'), () => dialog.close()), save]});
    dialog.addEventListener('close', () => resolve(null));
    input.select();
    input.focus();
  });
}

// A button that opens a menu. `items()` gives [{icon, label, run, danger}].
export function menuButton(label, items, attributes = {}) {
  const opener = iconButton('more', label, () => (opener.getAttribute('aria-expanded') === 'true' ? close() : open()),
                            {'aria-haspopup': 'menu', 'aria-expanded': 'false', ...attributes});
  let close = () => {};
  const open = () => { close = showMenu(opener, label, items()); };
  return opener;
}

function showMenu(opener, label, items) {
  const entries = items.map((item) => el('button', {
    type: 'button', role: 'menuitem', class: item.danger ? 'danger' : null, tabindex: -1,
    on: {click: () => { close(); item.run(); }},
  }, icon(item.icon), el('span', {}, item.label)));
  const menu = el('div', {class: 'menu', role: 'menu', 'aria-label': label}, ...entries);
  const outside = (event) => { if (!menu.contains(event.target) && event.target !== opener) close(false); };
  const close = (refocus = true) => {
    menu.remove();
    opener.setAttribute('aria-expanded', 'false');
    document.removeEventListener('pointerdown', outside, true);
    window.removeEventListener('resize', close);
    if (refocus && opener.isConnected) opener.focus();
  };
  menu.addEventListener('keydown', (event) => menuKey(event, entries, close));
  document.body.append(menu);
  place(menu, opener.getBoundingClientRect());
  opener.setAttribute('aria-expanded', 'true');
  document.addEventListener('pointerdown', outside, true);
  window.addEventListener('resize', close);
  entries[0].focus();
  return close;
}

function menuKey(event, entries, close) {
  const at = entries.indexOf(document.activeElement);
  const targets = {ArrowDown: at + 1, ArrowUp: at - 1 + entries.length, Home: 0, End: entries.length - 1};
  if (event.key in targets) entries[targets[event.key] % entries.length].focus();
  else if (event.key === 'Escape' || event.key === 'Tab') close();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function place(menu, at) {
  const {width, height} = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
  menu.style.top = `${at.bottom + height + 12 > innerHeight ? Math.max(8, at.top - height - 4) : at.bottom + 4}px`;
}
