"""The report in a browser: its own policy lets everything show that it holds, and nothing else."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from mitoscope.report import gather, render_report
from tests.report.runs import paint_slide, run_on

_BROKEN = "[...document.images].filter(image => !(image.complete && image.naturalWidth > 0)).length"
_SVG_INK = """async () => {
  const image = document.querySelector('#scores img');
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) {
    colours.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
  }
  return [colours.has(0x2f3b45), colours.has(0xb9c2cb)];
}"""
"""Whether the dark and the pale of the histogram's bars are seen: its styles are applied."""


def test_plots_show_under_the_policy_of_the_page(browser: Browser, tmp_path: Path) -> None:
    page_file = tmp_path / "report.html"
    page_file.write_text(render_report(gather(run_on(paint_slide(tmp_path / "slide.png")), area_mm2=0.008)))
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    assert page.evaluate("document.images.length") > 20
    assert page.evaluate(_BROKEN) == 0
    assert page.evaluate(_SVG_INK) == [True, True]
    assert said == []
    assert {url.split(":", 1)[0] for url in asked[1:]} <= {"data"}
    page.close()
