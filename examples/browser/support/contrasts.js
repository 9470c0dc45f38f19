// Whether everything on a page can be read.

/** In the page: which texts have less contrast than WCAG's 4.5, how many there are, and how bright the ground is. */
export function contrasts() {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const linear = channels(color)
      .slice(0, 3)
      .map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if ((channels(backgroundColor)[3] ?? 1) > 0) return backgroundColor;
    }
    throw new Error("no ground");
  };
  const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "";
  const shows = (element) => element.checkVisibility() && [...element.childNodes].some(isText);
  const texts = [...document.querySelectorAll("body *")].filter(shows);
  const poor = [];
  for (const element of texts) {
    const [ink, ground] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    const contrast = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    if (contrast < 4.5) poor.push([element.outerHTML, contrast]);
  }
  return [poor, texts.length, luminance(getComputedStyle(document.body).backgroundColor)];
}
