import { render } from "preact";
import { App } from "./app";
import { listenToKeys } from "./keys/commands";
import { enter } from "./state/session";
import "./style/base.css";
import "./style/layout.css";
import "./style/work.css";

listenToKeys();
void enter();
const root = document.getElementById("app");
if (root) render(<App />, root);
