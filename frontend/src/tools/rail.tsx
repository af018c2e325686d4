import { X } from "lucide";
import { Icon } from "../ui/icon";
import { say } from "../ui/toast";
import { capsOf, useCommands } from "../keys/commands";
import type { StageTool } from "./stage-tool";

/** A phone: what one tool asks covers half of the slide. */
const NARROW = matchMedia("(max-width: 760px)");

/** Turn a tool on or off; of those that take the pointer the others go off, on a phone of all that ask for something. */
export function toggle(tool: StageTool, all: readonly StageTool[], isNarrow = NARROW.matches): void {
  if (tool.refusal) return say(`${tool.title}: ${tool.refusal}`);
  if (tool.act) return tool.act();
  if (!tool.isOn.value) {
    for (const other of all) {
      if ((tool.takesPointer && other.takesPointer) || (isNarrow && tool.Face && other.Face)) other.isOn.value = false;
    }
  }
  tool.isOn.value = !tool.isOn.value;
}

/** The tools of a view, one button each. */
export function Rail({ tools }: { tools: readonly StageTool[] }) {
  useCommands(
    "Tools",
    tools.map((tool) => ({ keys: [tool.key], title: tool.title, run: () => toggle(tool, tools) })),
  );
  return (
    <div class="rail" role="toolbar" aria-label="Tools" aria-orientation="vertical">
      {tools.map((tool) => (
        <button
          key={tool.title}
          type="button"
          class="plain icon"
          aria-label={tool.title}
          aria-pressed={tool.act ? undefined : tool.isOn.value}
          aria-disabled={tool.refusal ? true : undefined}
          data-tip={`${tool.title} (${capsOf(tool.key).join(" ")})`}
          onClick={() => toggle(tool, tools)}
        >
          <Icon of={tool.icon} />
          <span class="when-folded">{tool.title}</span>
        </button>
      ))}
    </div>
  );
}

/** What the tools that are on say and ask. */
export function Faces({ tools }: { tools: readonly StageTool[] }) {
  return <div class="faces">{tools.map((tool) => tool.isOn.value && tool.Face && <Face key={tool.title} tool={tool} />)}</div>;
}

function Face({ tool }: { tool: StageTool }) {
  const Inner = tool.Face!;
  return (
    <section class="face" aria-label={tool.title}>
      <h3>
        {tool.title}
        <button type="button" class="plain icon" aria-label={`Close: ${tool.title}`} onClick={() => (tool.isOn.value = false)}>
          <Icon of={X} size={16} />
        </button>
      </h3>
      <Inner />
    </section>
  );
}
