import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { LetInByLink, NewLink, People as Everybody, Person } from "../api/types";
import { sayError, write } from "../state/session";
import { Dialog } from "../ui/dialog";
import { say } from "../ui/toast";

/** The raters, their links and roles. */
export function People() {
  const [people, setPeople] = useState<readonly Person[] | null>(null);
  const [link, setLink] = useState<{ name: string; link: string } | null>(null);
  const load = () => get<Everybody>("/api/raters").then(({ raters }) => setPeople(raters), sayError);
  useEffect(() => void load(), []);
  const renew = async (person: Person) => {
    const done = await write<NewLink>("POST", `/api/raters/${person.id}/link`);
    if (done) setLink({ name: person.name, link: location.origin + done.link });
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
          setLink({ name, link: location.origin + path });
          void load();
        }}
      />
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Kind</th>
            <th scope="col">Role</th>
            <th scope="col" class="number">
              Labels
            </th>
            <th scope="col">Last label</th>
            <th scope="col">Access</th>
          </tr>
        </thead>
        <tbody>
          {(people ?? []).map((person) => (
            <Row key={person.id} person={person} onRenew={() => void renew(person)} onChange={(what) => void change(person, what)} />
          ))}
        </tbody>
      </table>
      {link && <Link {...link} onClose={() => setLink(null)} />}
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
      <td>{person.kind}</td>
      <td>
        {comesIn && (
          <select
            class="small"
            value={person.role}
            aria-label={`Role of ${person.name}`}
            onChange={(event) => onChange({ role: event.currentTarget.value })}
          >
            <option value="rater">rater</option>
            <option value="lead">lead</option>
          </select>
        )}
      </td>
      <td class="number">{person.labels.toLocaleString("en")}</td>
      <td class="soft">{person.last_s === null ? "–" : new Date(person.last_s * 1000).toLocaleDateString("en-GB", { dateStyle: "medium" })}</td>
      <td>
        {comesIn ? (
          <div class="row tight">
            <button type="button" onClick={onRenew}>
              {person.has_link ? "New link" : "Link"}
            </button>
            <button type="button" onClick={() => onChange({ is_open: !person.is_open })}>
              {person.is_open ? "Close" : "Open"}
            </button>
          </div>
        ) : (
          <span class="soft">does not come in</span>
        )}
      </td>
    </tr>
  );
}

function AddPerson({ onAdded }: { onAdded(name: string, link: string): void }) {
  const [name, setName] = useState("");
  const [kind, setKind] = useState("expert");
  const submit = async (event: Event) => {
    event.preventDefault();
    const done = await write<LetInByLink>("POST", "/api/raters", { name, kind, role: "rater" });
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
        <span>Kind</span>
        <select value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="expert">expert</option>
          <option value="crowd">crowd</option>
        </select>
      </label>
      <button type="submit" class="primary" disabled={name.trim() === ""}>
        Add rater
      </button>
    </form>
  );
}

function Link({ name, link, onClose }: { name: string; link: string; onClose(): void }) {
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
