/**
 * OpenSeadragon adds an inline style for touch screens, which the page's Content-Security-Policy rightly refuses,
 * unless one is there. It is told so by an element without meaning: nothing focusable is in its canvas anyway.
 */
export function declineInlineStyle(): void {
  const mark = "data-openseadragon-mobile-css";
  if (document.querySelector(`style[${mark}]`)) return;
  const stand = document.createElementNS(null, "style");
  stand.setAttribute(mark, "none");
  document.head.append(stand);
}
