import type { ProposedSoFar, Slide } from "../api/types";
import { SlideSearchSection } from "../search/slide-search";
import { isLead } from "../state/session";
import { Section } from "../ui/panel";

interface Properties {
  slide: Slide;
  onDone(): void;
  onProposals(proposed: ProposedSoFar): void;
}

/** How candidates come to a slide that has none: the lead searches it here. */
export function NoCandidates({ slide, onDone, onProposals }: Properties) {
  if (isLead()) return <SlideSearchSection slide={slide.id} onDone={onDone} onProposals={onProposals} />;
  return (
    <Section title="No candidates yet">
      <p>No detector has searched this slide. Ask the lead of the study to search it (Study, Search); you can label it all the same.</p>
    </Section>
  );
}
