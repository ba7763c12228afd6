// The figures of one answer: a line of the essential ones, and all of them when it is opened.
import {el, icon, svg} from './dom.js';
import {duration, number, percent, ratio, t} from './i18n.js';

const STAGES = ['extract', 'render', 'vision', 'prefill', 'decode'];
const known = (value) => typeof value === 'number' && Number.isFinite(value);

// The <details> of an answer's `glyph` object; null when the server said nothing.
export function statsStrip(glyph, measuredFirst) {
  if (!glyph) return null;
  const times = glyph.timings_ms ?? {};
  const first = times.ttft ?? measuredFirst;
  const speed = known(glyph.completion_tokens) && times.decode > 0 ? glyph.completion_tokens / (times.decode / 1000) : null;
  const summary = shortFigures(glyph, first, speed);
  if (!summary.length) return null;
  return el('details', {class: 'stats'},
            el('summary', {'aria-label': `${t('stats')}: ${summary.join(', ')}`},
               ...summary.map((text) => el('span', {}, text)), icon('down')),
            el('dl', {}, ...allFigures(glyph, first, speed).map(([name, text]) => el('div', {}, el('dt', {}, t(name)), el('dd', {}, text)))),
            timeBar(times));
}

function shortFigures(glyph, first, speed) {
  const list = [];
  if (known(glyph.pages)) list.push(t('pages', {n: glyph.pages}));
  if (glyph.compression > 0) list.push(ratio(glyph.compression));
  if (cachedShare(glyph) !== null) list.push(t('stat_cached_short', {percent: percent(cachedShare(glyph))}));
  if (known(first)) list.push(t('stat_first_short', {time: duration(first)}));
  if (speed) list.push(t('tokens_per_second', {x: number(speed, speed < 10 ? 1 : 0)}));
  return list;
}

// Of the tokens of the pages, how many came from the cache.
function cachedShare({cached_tokens: cached, image_tokens: images}) {
  return known(cached) && images > 0 ? Math.min(1, cached / images) : null;
}

function allFigures(glyph, first, speed) {
  const times = glyph.timings_ms ?? {};
  const rows = [
    ['stat_pages', glyph.pages, number], ['stat_text_tokens', glyph.text_tokens, number],
    ['stat_image_tokens', glyph.image_tokens, number], ['stat_compression', glyph.compression, ratio],
    ['stat_cached', glyph.cached_tokens, number], ['stat_written', glyph.completion_tokens, number],
    ['time_render', known(times.render) ? times.render + (times.extract ?? 0) : undefined, duration],
    ['time_vision', times.vision, duration], ['time_prefill', times.prefill, duration], ['time_decode', times.decode, duration],
    ['stat_first', first, duration], ['stat_speed', speed, (x) => t('tokens_per_second', {x: number(x, x < 10 ? 1 : 0)})],
    ['stat_total', times.total, duration],
  ];
  return rows.filter(([, value]) => known(value)).map(([name, value, format]) => [name, format(value)]);
}

// One bar, a piece a stage, as wide as its share of the time.
function timeBar(times) {
  const stages = STAGES.filter((stage) => times[stage] > 0);
  const total = stages.reduce((sum, stage) => sum + times[stage], 0);
  if (!total) return null;
  let x = 0;
  const pieces = stages.map((stage) => {
    const width = times[stage] / total * 1000;
    const piece = svg('rect', {class: `stage-${stage}`, x, y: 0, width: Math.max(2, width - 2), height: 10});
    x += width;
    return piece;
  });
  const names = stages.map((stage) => `${t(`time_${stage}`)} ${duration(times[stage])}`);
  return el('figure', {class: 'time-bar'},
            svg('svg', {viewBox: '0 0 1000 10', preserveAspectRatio: 'none', role: 'img',
                        'aria-label': `${t('time_split')}: ${names.join(', ')}`}, ...pieces),
            el('figcaption', {'aria-hidden': 'true'},
               ...stages.map((stage) => el('span', {class: `key stage-${stage}`}, t(`time_${stage}`)))));
}
