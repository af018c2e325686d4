import { unsent } from "../outbox/outbox";
import { route } from "../state/route";
import { isLead, me, roundOf, slideOf } from "../state/session";
import { switchTheme, theme } from "../state/theme";
import { News } from "./news";

export function TopBar({ onHelp }: { onHelp(): void }) {
  const now = me.value;
  return (
    <header class="top">
      <a class="mark" href="#/">
        mitoscope
      </a>
      <nav aria-label="Where I am">{now && <Path study={now.study.name} />}</nav>
      <div class="right">
        {unsent.value.length > 0 && <span class="unsent">{unsent.value.length} unsent</span>}
        <News />
        {isLead() && (
          <a href="#/study/people" aria-current={route.value[0] === "study" ? "page" : undefined}>
            Study
          </a>
        )}
        {now && <bdi class="who clip">{now.rater.name}</bdi>}
        <button type="button" class="plain icon" title={theme.value === "light" ? "Dark" : "Light"} aria-label="Light or dark" onClick={switchTheme}>
          {theme.value === "light" ? "☾" : "☀"}
        </button>
        <button type="button" class="plain icon" title="Keys (?)" aria-label="Keys" onClick={onHelp}>
          ?
        </button>
      </div>
    </header>
  );
}

function Path({ study }: { study: string }) {
  const [place, id, , slideId] = route.value;
  const round = place === "round" ? roundOf(Number(id)) : undefined;
  const slide = place === "regions" ? slideOf(Number(id)) : slideOf(Number(slideId));
  return (
    <ol>
      <li>
        <a href="#/">
          <bdi>{study}</bdi>
        </a>
      </li>
      {place === "study" && <li>Study</li>}
      {place === "regions" && <li>Regions</li>}
      {round && (
        <li>
          <a href={`#/round/${round.id}`}>
            <bdi>{round.name}</bdi>
          </a>
        </li>
      )}
      {slide && (
        <li>
          <bdi>{slide.name}</bdi>
        </li>
      )}
    </ol>
  );
}
