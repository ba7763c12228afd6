// Puts the parts together: who is told of what, what is loaded first, what is drawn again when the language changes.
import {$} from './dom.js';
import {chat} from './chat.js';
import {addFiles, chooseFiles, drawComposer, focusQuestion, startComposer} from './composer.js';
import {conversations} from './conversations.js';
import {documents} from './documents.js';
import {drawHistory, startHistory} from './history_view.js';
import {applyStatic, loadLanguage} from './i18n.js';
import {isDown, keyAccepted, redrawLink, watchLink} from './link.js';
import {report} from './notify.js';
import {settings} from './settings.js';
import {closeHistory, closeViewer, drawShell, openViewer, startShell} from './shell.js';
import {drawTalk, startTalk} from './talk_view.js';
import {drawTray, startTray} from './tray_view.js';
import {drawViewer, showDocument, showPlaces, startViewer} from './viewer.js';

const nav = {
  addFiles, chooseFiles, closeHistory, closeViewer, focusQuestion,
  showDocument: (id) => { showDocument(id); openViewer(); },
  showPlaces: (places) => { showPlaces(places); openViewer(); },
};

function drawAll() {
  applyStatic();
  drawShell();
  drawHistory();
  drawTray();
  drawTalk();
  drawComposer();
  drawViewer();
  redrawLink();
}

// Each part on its own: one that fails does not keep the others away.
async function load() {
  const parts = await Promise.allSettled([documents.load(), conversations.load(), chat.loadModel()]);
  for (const {reason} of parts.slice(0, 2)) if (reason && !isDown()) report(reason);
  $('model').textContent = chat.model ?? '';
  if (parts[0].status === 'fulfilled') keyAccepted();
}

// The dialog is fetched when it is first wanted.
async function showSettings() {
  (await import('./settings_view.js')).openSettings(load);
}

async function start() {
  await loadLanguage();
  watchLink({back: load, askKey: showSettings});
  startShell();
  startHistory(nav);
  startTray(nav);
  startTalk(nav);
  startComposer();
  startViewer(nav);
  $('open-settings').addEventListener('click', showSettings);
  settings.addEventListener('change', ({detail}) => {
    if (detail === 'language') loadLanguage().then(drawAll);
    if (detail === 'theme') drawShell();
  });
  drawAll();
  load();
}

start();
