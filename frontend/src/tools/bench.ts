import { useEffect, useState } from "preact/hooks";
import type { SlideView } from "../viewer/slide-view";
import { adjustTool, haematoxylinTool } from "./adjust";
import { fieldTool } from "./field";
import { gridTool } from "./grid";
import { magnifierTool } from "./magnifier";
import { measureTools } from "./measure";
import type { StageTool } from "./stage-tool";

/** The tools of a view, made once it is there. */
export function useTools(view: SlideView | null): readonly StageTool[] {
  const [tools, setTools] = useState<readonly StageTool[]>([]);
  useEffect(() => {
    if (!view) return;
    const made = [
      ...measureTools(view),
      fieldTool(view),
      gridTool(view),
      magnifierTool(view),
      adjustTool(),
      haematoxylinTool(),
    ];
    setTools(made);
    return () => {
      for (const tool of made) tool.destroy?.();
    };
  }, [view]);
  return tools;
}
