import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { LetInByLink, NewLink, People as Everybody, Person } from "../api/types";
import { sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { say } from "../ui/toast";
import { linkAddress } from "./link-address";

interface Given {
  name: string;
  path: string;
}

/** The raters, their links and roles. */
export function People() {
  const [found, setFound] = useState<Everybody | null>(null);
  const [given, setGiven] = useState<Given | null>(null);
  const load = () => get<Everybody>("/api/raters").then(setFound, sayError);
  useEffect(() => void load(), []);
  const renew = async (person: Person) => {
    const done = await write<NewLink>("POST", `/api/raters/${person.id}/link`);
    if (done) setGiven({ name: person.name, path: done.link });
    await load();
  };
  const change = async (person: Person, what: object) => {
    await write("PUT", `/api/raters/${person.id}`, what);
    await load();
  };
  return (
    <>
      <AddPerson
        onAdded={(name, path) => {
          setGiven({ name, path });
          void load();
        }}
      />
      <div class="broad">
        <table class="stacked">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Role</th>
              <th scope="col" class="number">
                Labels
              </th>
              <th scope="col">Last label</th>
              <th scope="col">Access</th>
            </tr>
          </thead>
          <tbody>
            {(found?.raters ?? []).map((person) => (
              <Row key={person.id} person={person} onRenew={() => void renew(person)} onChange={(what) => void change(person, what)} />
            ))}
          </tbody>
        </table>
      </div>
      {given && found && <Link {...given} address={linkAddress(location.origin, found)} onClose={() => setGiven(null)} />}
    </>
  );
}

function Row({ person, onRenew, onChange }: { person: Person; onRenew(): void; onChange(what: object): void }) {
  const comesIn = person.role !== null;
  return (
    <tr>
      <th scope="row">
        <bdi>{person.name}</bdi>
      </th>
      <td data-label="Role">
        <Role person={person} onChange={onChange} />
      </td>
      <td class="number" data-label="Labels">
        {person.labels.toLocaleString("en")}
      </td>
      <td class="soft" data-label="Last label">
        {person.last_s === null ? "–" : new Date(person.last_s * 1000).toLocaleDateString("en-GB", { dateStyle: "medium" })}
      </td>
      <td>
        {comesIn ? (
          <div class="row tight">
            <button type="button" onClick={onRenew}>
              {person.has_link ? "New link" : "Link"}
            </button>
            <button type="button" onClick={() => onChange({ is_open: !person.is_open })}>
              {person.is_open ? "Close" : "Reopen"}
            </button>
          </div>
        ) : (
          <span class="soft">does not come in</span>
        )}
      </td>
    </tr>
  );
}

function Role({ person, onChange }: { person: Person; onChange(what: object): void }) {
  if (person.role === null) return <span class="soft">{person.kind === "expert" ? "labels from a file" : person.kind}</span>;
  if (person.kind === "crowd") {
    return <span title="What a crowd worker said stays the crowd’s word: add the person under another name as a rater.">crowd worker</span>;
  }
  return (
    <select class="small" value={person.role} aria-label={`Role of ${person.name}`} onChange={(event) => onChange({ role: event.currentTarget.value })}>
      <option value="rater">rater</option>
      <option value="lead">lead</option>
    </select>
  );
}

const ROLES = {
  rater: { kind: "expert", role: "rater" },
  lead: { kind: "expert", role: "lead" },
  "crowd worker": { kind: "crowd", role: "rater" },
} as const;

function AddPerson({ onAdded }: { onAdded(name: string, path: string): void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<keyof typeof ROLES>("rater");
  const submit = async (event: Event) => {
    event.preventDefault();
    const done = await write<LetInByLink>("POST", "/api/raters", { name, ...ROLES[role] });
    if (!done) return;
    onAdded(name, done.link);
    setName("");
  };
  return (
    <form class="bar" onSubmit={(event) => void submit(event)}>
      <label class="field grow">
        <span>Name</span>
        <input value={name} maxLength={200} required onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>Role</span>
        <select value={role} onChange={(event) => setRole(event.currentTarget.value as keyof typeof ROLES)}>
          {Object.keys(ROLES).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </label>
      <button type="submit" class="primary" disabled={name.trim() === ""}>
        Add rater
      </button>
    </form>
  );
}

function Link({ name, path, address, onClose }: Given & { address: string | null; onClose(): void }) {
  const link = (address ?? location.origin) + path;
  const copy = () => {
    navigator.clipboard.writeText(link).then(
      () => say("Copied."),
      () => say("The browser does not let the page copy; select the link and copy it.", { kind: "warning" }),
    );
  };
  return (
    <Dialog title="Personal link" onClose={onClose}>
      <div class="form">
        <p>
          Give this to <bdi>{name}</bdi> only. It is shown this once; a new one makes it void.
        </p>
        {address === null && (
          <p class="warn">
            It opens on this machine only: the server listens to no other. For others start it with <code>--host 0.0.0.0</code>, or behind a proxy with{" "}
            <code>--address</code>, and make a new link.
          </p>
        )}
        <input class="mono" readOnly value={link} aria-label="Link" onFocus={(event) => event.currentTarget.select()} />
        <div class="actions">
          <button type="button" class="primary" onClick={copy}>
            Copy
          </button>
        </div>
      </div>
    </Dialog>
  );
}
