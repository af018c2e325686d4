import { useSignal } from "@preact/signals";
import { line, unsent } from "../outbox/outbox";
import { theOutbox } from "../state/session";
import { Dialog } from "./dialog";
import { sentence } from "./words";

/** Says plainly why actions cannot be sent, and that none is lost. */
export function LineNotice() {
  const shows = useSignal(false);
  const state = line.value;
  const count = unsent.value.length;
  if (state.kind === "open") return null;
  const kept = count === 1 ? "1 action waits in this browser and is sent by itself." : `${count} actions wait in this browser and are sent by themselves.`;
  return (
    <div class="notice" role="alert">
      <span class="grow">
        {state.kind === "away" && <b>The server does not answer. </b>}
        {state.kind === "unknown" && <b>This browser is not known here any more: open your own link again. </b>}
        {state.kind === "stuck" && <b>The server cannot write: {sentence(state.refusal.message)} </b>}
        {state.kind === "stuck" && state.refusal.mend && <>{sentence(state.refusal.mend)} </>}
        {kept}
      </span>
      <button type="button" onClick={() => theOutbox().wake()}>
        Try now
      </button>
      <button type="button" onClick={() => (shows.value = true)}>
        Unsent actions
      </button>
      {shows.value && <UnsentList onClose={() => (shows.value = false)} />}
    </div>
  );
}

function UnsentList({ onClose }: { onClose(): void }) {
  return (
    <Dialog title="Unsent actions" onClose={onClose}>
      <ul class="list">
        {unsent.value.map((action) => (
          <li key={action.key} class="entry">
            <span class="grow">
              {action.title} <small>{new Date(action.since).toLocaleTimeString("en-GB")}</small>
            </span>
            <button type="button" class="danger" onClick={() => void theOutbox().discard(action)}>
              Discard
            </button>
          </li>
        ))}
      </ul>
      {unsent.value.length === 0 && <p>Everything is sent.</p>}
    </Dialog>
  );
}
