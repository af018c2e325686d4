import { DataPage } from "../data/data-page";
import { SearchPage } from "../search/search-page";
import { route } from "../state/route";
import { Activity } from "./activity";
import { Agreement } from "./agreement";
import { Classes } from "./classes";
import { People } from "./people";
import { ProgressTable } from "./progress-table";
import { Rounds } from "./rounds";

const PARTS = [
  { name: "people", title: "People", Part: People },
  { name: "rounds", title: "Rounds", Part: Rounds },
  { name: "search", title: "Search", Part: SearchPage },
  { name: "data", title: "Data", Part: DataPage },
  { name: "classes", title: "Classes", Part: Classes },
  { name: "progress", title: "Progress", Part: ProgressTable },
  { name: "agreement", title: "Agreement", Part: Agreement },
  { name: "activity", title: "Activity", Part: Activity },
] as const;

/** What the lead of a study sees and sets. */
export function Lead() {
  const chosen = PARTS.find((one) => one.name === route.value[1]) ?? PARTS[0];
  return (
    <main class="page">
      <h1>Study</h1>
      <nav class="tabs" aria-label="Study">
        {PARTS.map((one) => (
          <a key={one.name} href={`#/study/${one.name}`} aria-current={one === chosen ? "page" : undefined}>
            {one.title}
          </a>
        ))}
      </nav>
      <chosen.Part />
    </main>
  );
}
