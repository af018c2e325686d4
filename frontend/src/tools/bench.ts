import { useEffect, useState } from "preact/hooks";
import type { SlideView } from "../viewer/slide-view";
import { adjustTool, haematoxylinTool } from "./adjust";
import { besideTool } from "./beside";
import { cellListTool } from "./cell-list";
import { commentTool } from "./comment";
import { fieldTool } from "./field";
import { gridTool } from "./grid";
import { heatTool } from "./heat";
import { linkTool } from "./links";
import { magnifierTool } from "./magnifier";
import { measureTools } from "./measure";
import type { StageCells } from "./stage-cells";
import type { StageTool } from "./stage-tool";

/** The tools of a view, made once it is there. */
export function useTools(view: SlideView | null, cells: StageCells | undefined, slide: string): readonly StageTool[] {
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
      ...(cells?.isList ? [heatTool(view, cells), cellListTool(view, cells)] : []),
      ...(cells ? [commentTool(cells)] : []),
      besideTool(view, slide),
      linkTool(view, cells),
    ];
    setTools(made);
    return () => {
      for (const tool of made) tool.destroy?.();
    };
  }, [view, cells]);
  return tools;
}
