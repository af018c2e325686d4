import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Away, Refusal } from "./api/errors";
import { Elsewhere } from "./elsewhere";
import { Home } from "./home";
import { useCommands } from "./keys/commands";
import { Help } from "./keys/help";
import { Palette } from "./keys/palette";
import { Lead } from "./lead/lead";
import { Regions } from "./modes/regions";
import { NoSlide, RoundPage } from "./round-page";
import { routeToNamed } from "./state/aim";
import { go, route } from "./state/route";
import { enter, isLead, me, obstacle, roundOf, slideOf } from "./state/session";
import { switchContrast, switchTheme } from "./state/theme";
import { openDialogs } from "./ui/dialog";
import { LineNotice } from "./ui/line-notice";
import { Empty } from "./ui/panel";
import { Toasts } from "./ui/toast";
import { TopBar } from "./ui/top-bar";
import { isOpenSlide } from "./viewer/picture";

const TRY_AGAIN_MS = 3000;

export function App() {
  const needsHelp = useSignal(false);
  const isFinding = useSignal(false);
  const find = () => (isFinding.value = true);
  useCommands("Everywhere", [
    { keys: ["Ctrl+K"], title: "Find an action, page, work or slide", run: find, whileTyping: true },
    { keys: ["?"], title: "This list", run: () => (needsHelp.value = true) },
    { keys: ["Alt+h"], title: "My work", run: () => go("/") },
    { keys: ["Alt+t"], title: "Light or dark", run: switchTheme },
    { keys: ["Alt+c"], title: "High contrast, on or off", run: switchContrast },
  ]);
  useEffect(() => {
    // Progress on the first page is that of the moment.
    if (route.value.length === 0 && me.value) void enter();
  }, [route.value]);
  return (
    <>
      <TopBar onFind={find} onHelp={() => (needsHelp.value = true)} />
      <div class="body">{me.value ? <Place /> : <Waiting />}</div>
      <div class="messages">
        {openDialogs.value.length === 0 && <Toasts />}
        <LineNotice />
      </div>
      {isFinding.value && <Palette onClose={() => (isFinding.value = false)} />}
      {needsHelp.value && <Help onClose={() => (needsHelp.value = false)} />}
    </>
  );
}

function Place() {
  const [place, id, , slideId] = route.value;
  if (place === undefined) return <Home />;
  if (place === "study" && isLead()) return <Lead />;
  if (place === "round") {
    const round = roundOf(Number(id));
    if (round) return <RoundPage round={round} slideId={slideId === undefined ? null : Number(slideId)} />;
  }
  if (place === "regions") {
    const slide = slideOf(Number(id));
    if (isOpenSlide(slide)) return <Regions key={slide.id} slide={slide} />;
    if (slide) return <NoSlide name={slide.name} reason={slide.reason} mend={slide.mend} />;
  }
  const named = routeToNamed(route.value, me.value?.slides ?? []);
  if (named) return <Moved to={named} />;
  return <Elsewhere route={route.value} />;
}

/** Another address takes the place of this one, so that “back” leads to where one came from. */
function Moved({ to }: { to: string }) {
  useEffect(() => location.replace(`#${to}`), [to]);
  return <Empty title="Opening …" />;
}

function Waiting() {
  const error = obstacle.value;
  useEffect(() => {
    if (!(error instanceof Away)) return;
    const timer = setTimeout(() => void enter(), TRY_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [error]);
  if (error === null) return <Empty title="Opening …" />;
  if (error instanceof Away) {
    return (
      <Empty title="The server does not answer.">
        <p>The page tries again by itself. Is “mitoscope serve” running?</p>
      </Empty>
    );
  }
  if (error instanceof Refusal && error.status === 401) {
    return (
      <Empty title="This browser is not known here.">
        <p>Open your own link again, or ask the lead of the study for a new one.</p>
      </Empty>
    );
  }
  if (error instanceof Refusal) return <Empty title={error.message}>{error.mend && <p>{error.mend}</p>}</Empty>;
  return (
    <Empty title="This browser keeps nothing for the page.">
      <p>Unsent work could be lost here. Allow the page to store data (a private window may not), and reload. ({error.message})</p>
    </Empty>
  );
}
