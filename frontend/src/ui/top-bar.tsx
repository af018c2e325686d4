import { Contrast, Keyboard, Menu as MenuIcon, Moon, Search, Settings2, Sun, type IconNode } from "lucide";
import { capsOf } from "../keys/commands";
import { unsent } from "../outbox/outbox";
import { route } from "../state/route";
import { isLead, me, roundOf, slideOf } from "../state/session";
import { contrast, switchContrast, switchTheme, theme } from "../state/theme";
import { Folding } from "./folding";
import { Icon } from "./icon";
import { News } from "./news";

export function TopBar({ onFind, onHelp }: { onFind(): void; onHelp(): void }) {
  const now = me.value;
  return (
    <header class="top">
      <a class="mark" href="#/">
        mitoscope
      </a>
      <nav aria-label="Where I am">{now && <Path study={now.study.name} />}</nav>
      {unsent.value.length > 0 && <span class="unsent">{unsent.value.length} unsent</span>}
      <News />
      <Folding label="Menu" icon={MenuIcon} class="right">
        {isLead() && (
          <a href="#/study/people" aria-current={route.value[0] === "study" ? "page" : undefined}>
            <Icon of={Settings2} size={16} /> Study
          </a>
        )}
        {now && <bdi class="who clip">{now.rater.name}</bdi>}
        <Act icon={Search} name="Find" keys="Ctrl+K" onAct={onFind} />
        <Act icon={theme.value === "light" ? Moon : Sun} name="Light or dark" keys="Alt+t" onAct={switchTheme} />
        <Act icon={Contrast} name="High contrast" keys="Alt+c" onAct={switchContrast} isOn={contrast.value === "more"} />
        <Act icon={Keyboard} name="Keys" keys="?" onAct={onHelp} />
      </Folding>
    </header>
  );
}

interface ActProperties {
  icon: IconNode;
  name: string;
  keys: string;
  onAct(): void;
  isOn?: boolean;
}

/** A button of the bar: an icon whose tip names what it does and its key. */
function Act({ icon, name, keys, onAct, isOn }: ActProperties) {
  return (
    <button type="button" class="plain icon" aria-label={name} aria-pressed={isOn} data-tip={`${name} (${capsOf(keys).join(" ")})`} onClick={onAct}>
      <Icon of={icon} />
      <span class="when-folded">{name}</span>
    </button>
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
