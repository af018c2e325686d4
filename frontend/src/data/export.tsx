import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { FileFormat, FileFormats } from "../api/types";
import { sayError } from "../state/session";

/** The study as a file of any format that can be written. */
export function Export() {
  const [formats, setFormats] = useState<readonly FileFormat[]>([]);
  const [format, setFormat] = useState("csv");
  useEffect(() => {
    get<FileFormats>("/api/formats").then((answer) => setFormats(answer.formats.filter((one) => one.is_written)), sayError);
  }, []);
  if (formats.length === 0) return null;
  return (
    <>
      <select class="small" value={format} aria-label="Format of the export" onChange={(event) => setFormat(event.currentTarget.value)}>
        {formats.map((one) => (
          <option key={one.name} value={one.name}>
            {one.title}
          </option>
        ))}
      </select>
      <a class="button" href={`/api/export?format=${format}`} download="">
        Export
      </a>
    </>
  );
}
