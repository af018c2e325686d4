import { Dialog } from "../ui/dialog";
import { capsOf, groups, type Command } from "./commands";

/** All keys that do something here and now. */
export function Help({ onClose }: { onClose(): void }) {
  const shown = groups.value.filter((group) => group.commands.length > 0);
  return (
    <Dialog title="Keys" onClose={onClose} wide>
      <div class="help">
        {[...shown].reverse().map((group) => (
          <section key={group.name}>
            <h3>{group.name}</h3>
            <dl>
              {group.commands.map((command) => (
                <Line key={command.title} command={command} />
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

function Line({ command }: { command: Command }) {
  return (
    <div class="line">
      <dt>
        {command.keys.map((key, at) => (
          <span key={key} class="chord">
            {at > 0 && <span class="or">or</span>}
            <Keys of={key} />
          </span>
        ))}
      </dt>
      <dd>{command.title}</dd>
    </div>
  );
}

export function Keys({ of }: { of: string }) {
  return (
    <>
      {capsOf(of).map((cap) => (
        <kbd key={cap}>{cap}</kbd>
      ))}
    </>
  );
}
