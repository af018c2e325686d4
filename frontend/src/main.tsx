import { render } from "preact";
import { App } from "./app";
import { listenToKeys } from "./keys/commands";
import { enter } from "./state/session";
import { say } from "./ui/toast";
import { keepLook } from "./viewer/look";
import "./style/base.css";
import "./style/layout.css";
import "./style/lead.css";
import "./style/work.css";
import "./style/case.css";

function onFault(): void {
  say("The page made a mistake; what was acknowledged is safe.", { kind: "warning", mend: "Reload the page." });
}

window.addEventListener("error", onFault);
window.addEventListener("unhandledrejection", onFault);
listenToKeys();
keepLook();
void enter();
const root = document.getElementById("app");
if (root) render(<App />, root);
