import { Compass } from "lucide";
import { routeToCell, routeToView, aimOf, slidePart } from "./state/aim";
import { me, slideOf } from "./state/session";
import { Empty } from "./ui/panel";

/** A link to work of others, or to nothing: where its slide may be seen instead. */
export function Elsewhere({ route }: { route: readonly string[] }) {
  const part = slidePart(route);
  const slide = part ? slideOf(Number(part.at(-1))) : undefined;
  if (!slide) {
    return (
      <Empty title="There is nothing here for you." icon={Compass}>
        <p>The link may be old, or its work is that of somebody else.</p>
        <a class="button" href="#/">
          My work
        </a>
      </Empty>
    );
  }
  const aim = aimOf(route);
  const to = (where: readonly string[]): string => {
    if (!aim) return `#/${where.join("/")}`;
    if ("view" in aim) return `#${routeToView(where, aim.view)}`;
    return where[0] === "round" ? `#${routeToCell(where, aim.cell)}` : `#/${where.join("/")}`;
  };
  const rounds = (me.value?.rounds ?? []).filter((round) => round.is_open && round.slides.includes(slide.id) && takesSlides.has(round.kind));
  return (
    <Empty title="This link leads to work that is not yours.">
      <p>
        You may look at its slide, <bdi>{slide.name}</bdi>, here:
      </p>
      {rounds.map((round) => (
        <a key={round.id} class="button" href={to(["round", String(round.id), "slide", String(slide.id)])}>
          <bdi>{round.name}</bdi>
        </a>
      ))}
      <a class="button" href={to(["regions", String(slide.id)])}>
        The slide, with its regions
      </a>
    </Empty>
  );
}

/** Rounds in which one goes to a slide. */
const takesSlides: ReadonlySet<string> = new Set(["screening", "case review", "unstated"]);
