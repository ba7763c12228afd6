// Sets theme and language of the document before the first paint: the one script that is not a module.
(() => {
  const read = (key) => {
    try {
      return JSON.parse(localStorage.getItem('glyph.settings') || '{}')[key];
    } catch {
      return undefined;
    }
  };
  const dark = matchMedia('(prefers-color-scheme: dark)');
  // settings: 'auto', 'light' or 'dark'; the document carries what that comes to.
  window.glyphTheme = (chosen) => {
    const auto = chosen !== 'light' && chosen !== 'dark';
    document.documentElement.dataset.theme = auto ? (dark.matches ? 'dark' : 'light') : chosen;
  };
  dark.addEventListener('change', () => window.glyphTheme(read('theme')));
  window.glyphTheme(read('theme'));
  const language = read('language') || (/^zh\b/i.test(navigator.language) ? 'zh' : 'en');
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
})();
