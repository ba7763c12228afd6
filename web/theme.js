// Sets theme and language of the document before the first paint: the one script that is not a module.
(() => {
  const read = (key) => {
    try {
      return JSON.parse(localStorage.getItem('glyph.settings') || '{}')[key];
    } catch {
      return undefined;
    }
  };
  const theme = read('theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  const language = read('language') || (/^zh\b/i.test(navigator.language) ? 'zh' : 'en');
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
})();
