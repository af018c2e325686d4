import { useState } from "preact/hooks";
import { Export } from "./export";
import { ImportFile } from "./import-file";
import { VersionList } from "./versions";

/** Labels in and out, and the versions of the data set. */
export function DataPage() {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <div class="bar wrap">
        <button type="button" class="primary" onClick={() => setOpen(true)}>
          Labels from a file …
        </button>
        <span class="grow" />
        <Export />
      </div>
      <VersionList />
      {isOpen && <ImportFile onDone={() => setOpen(false)} onClose={() => setOpen(false)} />}
    </>
  );
}
