import type { Slide } from "../api/types";
import { isLead } from "../state/session";
import { Section } from "../ui/panel";

/** Says how candidates come to a slide that has none. */
export function NoCandidates({ slide }: { slide: Slide }) {
  return (
    <Section title="No candidates yet">
      <p>No detector has searched this slide. On the machine with the slides:</p>
      <code class="command">mitoscope detect {quoted(slide.name)} --out detections</code>
      <p>
        {isLead() ? "Then add " : "Then the lead of the study adds "}
        <code>detections/{stem(slide.name)}.csv</code> under {isLead() ? <a href="#/study/rounds">Study, Rounds</a> : "Study, Rounds"}: Candidates from a file.
      </p>
    </Section>
  );
}

function stem(name: string): string {
  return name.replace(/\.[^.]+$/, "");
}

/** A name as one word of a shell. */
function quoted(name: string): string {
  return /^[\w.+-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}
