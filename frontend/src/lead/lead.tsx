import { Activity as Pulse, ChartNoAxesColumn, Database, Layers, Scale, ScanSearch, Tags, Users } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { DataPage } from "../data/data-page";
import { SearchPage } from "../search/search-page";
import { route } from "../state/route";
import { Icon } from "../ui/icon";
import { Activity } from "./activity";
import { Agreement } from "./agreement";
import { Classes } from "./classes";
import { People } from "./people";
import { ProgressTable } from "./progress-table";
import { Rounds } from "./rounds";

/** The pages of the lead. */
export const STUDY_PAGES = [
  { name: "people", title: "People", icon: Users, Part: People },
  { name: "rounds", title: "Rounds", icon: Layers, Part: Rounds },
  { name: "search", title: "Search", icon: ScanSearch, Part: SearchPage },
  { name: "data", title: "Data", icon: Database, Part: DataPage },
  { name: "classes", title: "Classes", icon: Tags, Part: Classes },
  { name: "progress", title: "Progress", icon: ChartNoAxesColumn, Part: ProgressTable },
  { name: "agreement", title: "Agreement", icon: Scale, Part: Agreement },
  { name: "activity", title: "Activity", icon: Pulse, Part: Activity },
] as const;

/** What the lead of a study sees and sets. */
export function Lead() {
  const chosen = STUDY_PAGES.find((one) => one.name === route.value[1]) ?? STUDY_PAGES[0];
  const tabs = useRef<HTMLElement>(null);
  useEffect(() => tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [chosen]);
  return (
    <main class="page">
      <h1>Study</h1>
      <nav ref={tabs} class="tabs" aria-label="Study">
        {STUDY_PAGES.map((one) => (
          <a key={one.name} href={`#/study/${one.name}`} aria-current={one === chosen ? "page" : undefined}>
            <Icon of={one.icon} size={16} /> {one.title}
          </a>
        ))}
      </nav>
      <chosen.Part />
    </main>
  );
}
