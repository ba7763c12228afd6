// Puts the parts together: who is told of what, what is loaded first, what is drawn again when the language changes.
import {$} from './dom.js';
import {chat} from './chat.js';
import {addFiles, chooseFiles, drawComposer, focusQuestion, startComposer} from './composer.js';
import {conversations} from './conversations.js';
import {documents} from './documents.js';
import {drawHistory, startHistory} from './history_view.js';
import {applyStatic, loadLanguage, t} from './i18n.js';
import {isDown, keyAccepted, redrawLink, watchLink} from './link.js';
import {report, toast} from './notify.js';
import {settings} from './settings.js';
import {closeHistory, closeViewer, drawShell, openViewer, startShell} from './shell.js';
import {drawTalk, startTalk} from './talk_view.js';
import {drawTray, startTray} from './tray_view.js';

const nav = {
  addFiles, chooseFiles, closeHistory, closeViewer, focusQuestion,
  showDocument: (id) => withViewer((viewer) => { viewer.showDocument(id); openViewer(); }),
  showPlaces: (places) => withViewer((viewer) => { viewer.showPlaces(places); openViewer(); }),
};

let viewer = null;  // the module of the pages, once it was wanted

async function withViewer(work) {
  try {
    if (!viewer) {
      viewer = await import('./viewer.js');
      viewer.startViewer(nav);
    }
    work(viewer);
  } catch {
    toast(t('error_network'), 'error');
  }
}

function drawAll() {
  applyStatic();
  drawShell();
  drawHistory();
  drawTray();
  drawTalk();
  drawComposer();
  viewer?.drawViewer();
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
  try {
    (await import('./settings_view.js')).openSettings(load);
  } catch {
    toast(t('error_network'), 'error');
  }
}

async function start() {
  await loadLanguage();
  watchLink({back: load, askKey: showSettings});
  startShell({viewerOpened: () => withViewer((module) => module.drawViewer())});
  startHistory(nav);
  startTray(nav);
  startTalk(nav);
  startComposer();
  $('open-settings').addEventListener('click', showSettings);
  settings.addEventListener('change', ({detail}) => {
    if (detail === 'language') loadLanguage().then(drawAll);
    if (detail === 'theme') drawShell();
  });
  drawAll();
  load();
}

start();
