"""Questions the tests ask of a page in the browser: names, contrast, overflow, requests; and events it cannot type."""
import json

# Dispatches the drop of one file on the window.
DROP = """
const data = new DataTransfer();
data.items.add(new File([arguments[1]], arguments[0], {type: 'text/plain'}));
for (const name of ['dragenter', 'dragover', 'drop'])
  document.body.dispatchEvent(new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true}));
"""

# Pastes a text.
PASTE = """
const data = new DataTransfer();
data.setData('text/plain', arguments[0]);
document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
"""

CONTROLS = {"button", "link", "textbox", "searchbox", "combobox", "listbox", "checkbox", "switch", "radio", "slider", "spinbutton",
            "menuitem", "menu", "dialog", "progressbar", "image", "navigation", "complementary", "region", "article", "DisclosureTriangle"}

CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
const rgba = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const ground = (node) => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) {
    layers.push(rgba(getComputedStyle(at).backgroundColor));
    if (layers.at(-1)[3] === 1) break;
  }
  return layers.reduceRight((under, top) => over(top, under), [255, 255, 255, 1]);
};
const light = (c) => c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ratio = (a, b) => { const [x, y] = [light(a), light(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
const bad = [];
const check = (node, color, text) => {
  const under = ground(node);
  const value = ratio(over(rgba(color), under), under);
  if (value < 4.5) bad.push(`${value.toFixed(2)} ${node.tagName}.${node.className} "${text.slice(0, 30)}"`);
};
const scope = document.querySelector('dialog[open]') ?? document.body;
const walker = document.createTreeWalker(scope, NodeFilter.SHOW_TEXT);
for (let text = walker.nextNode(); text; text = walker.nextNode()) {
  const node = text.parentElement;
  if (!text.data.trim() || !node.checkVisibility() || node.closest(':disabled, .visually-hidden, .skip, noscript, svg, script')) continue;
  check(node, getComputedStyle(node).color, text.data.trim());
}
for (const field of scope.querySelectorAll('input, textarea, select')) {
  if (!field.checkVisibility() || field.matches('[type=checkbox], [type=radio], [type=range]')) continue;
  check(field, getComputedStyle(field).color, field.value || 'value');
  if (field.placeholder) check(field, getComputedStyle(field, '::placeholder').color, field.placeholder);
}
return bad;
"""

# Anything wider than the window, any control that sticks out of it, any hint that does not fit its field.
OVERFLOW = """
const bad = [];
const root = document.scrollingElement;
if (root.scrollWidth > innerWidth) bad.push(`page ${root.scrollWidth} > ${innerWidth}`);
for (const node of document.querySelectorAll('button, input, select, textarea, h1, h2, p')) {
  const {left, right, width} = node.getBoundingClientRect();
  if (!width || !node.checkVisibility() || node.closest('.skip, .visually-hidden, .cards, .prose, .sheet, [hidden]')) continue;
  if (node.closest('[inert]') || node.matches('.skip, [type=radio]')) continue;
  if (left < -1 || right > innerWidth + 1) bad.push(`${node.tagName}#${node.id}.${node.className} ${left}..${right}`);
  if (node.matches('textarea') && node.scrollWidth > node.clientWidth) bad.push(`the words of ${node.tagName}#${node.id} are cut`);
}
return bad;
"""


def low_contrast(browser):
    return browser.execute_script(CONTRAST)


def overflow(browser):
    return browser.execute_script(OVERFLOW)


def unnamed(browser):
    """Controls, images and regions of the accessibility tree that have no name."""
    nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [node["role"]["value"] + " " + json.dumps(node.get("properties", []))[:200] for node in nodes
            if not node.get("ignored") and node.get("role", {}).get("value") in CONTROLS
            and not node.get("name", {}).get("value", "").strip()]


def requested(browser):
    """Addresses of all requests since the last call."""
    messages = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]
