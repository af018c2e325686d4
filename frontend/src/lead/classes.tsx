import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { Classes as Listing, StudyClass } from "../api/types";
import { enter, sayError, write } from "../state/session";
import { Glyph } from "../ui/glyph";

/** The classes that raters tell apart: those of the field, and the study's own. */
export function Classes() {
  const [listing, setListing] = useState<Listing | null>(null);
  const [name, setName] = useState("");
  const load = () => get<Listing>("/api/classes").then(setListing, sayError);
  useEffect(() => void load(), []);
  const take = (changed: Listing | null) => {
    if (!changed) return;
    setListing(changed);
    void enter(); // the keys of the classes are those of the study
  };
  const add = async (names: string[]) => {
    take(await write<Listing>("POST", "/api/classes", { names }));
    setName("");
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (name.trim()) void add([name]);
  };
  if (!listing) return null;
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">Key</th>
            <th scope="col">Class</th>
            <th scope="col" />
          </tr>
        </thead>
        <tbody>
          {listing.classes.map((one, at) => (
            <tr key={one.id}>
              <td>{at < 9 && <kbd>{at + 1}</kbd>}</td>
              <th scope="row">
                <Glyph order={at} colour={one.colour} /> <bdi>{one.name}</bdi>
              </th>
              <td>{one.is_own && <Rename of={one} onDone={take} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <form class="bar" onSubmit={submit}>
        <input
          value={name}
          maxLength={200}
          aria-label="Name of the new class"
          placeholder="New class"
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" class="primary" disabled={name.trim() === ""}>
          Add
        </button>
      </form>
      <div class="bar wrap">
        {listing.suggested.map((one) => (
          <button key={one} type="button" onClick={() => void add([one])}>
            + {one}
          </button>
        ))}
      </div>
    </>
  );
}

function Rename({ of, onDone }: { of: StudyClass; onDone(changed: Listing | null): void }) {
  const [name, setName] = useState<string | null>(null);
  if (name === null) {
    return (
      <button type="button" onClick={() => setName(of.name)}>
        Rename
      </button>
    );
  }
  const save = async (event: Event) => {
    event.preventDefault();
    onDone(await write<Listing>("PUT", `/api/classes/${of.id}`, { name }));
    setName(null);
  };
  return (
    <form class="row tight" onSubmit={(event) => void save(event)}>
      <input value={name} maxLength={200} aria-label={`New name of ${of.name}`} onInput={(event) => setName(event.currentTarget.value)} />
      <button type="submit" disabled={name.trim() === ""}>
        Save
      </button>
    </form>
  );
}
