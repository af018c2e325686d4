import { useState } from "preact/hooks";

const FORMATS = [
  ["csv", "CSV"],
  ["geojson", "GeoJSON (QuPath)"],
  ["coco", "COCO / MIDOG JSON"],
  ["sliderunner", "SlideRunner SQLite"],
  ["grand-challenge", "Grand Challenge points"],
] as const;

/** The study as a file of a known format. */
export function Export() {
  const [format, setFormat] = useState<string>("csv");
  return (
    <>
      <select class="small" value={format} aria-label="Format of the export" onChange={(event) => setFormat(event.currentTarget.value)}>
        {FORMATS.map(([name, title]) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
      <a class="button" href={`/api/export?format=${format}`} download="">
        Export
      </a>
    </>
  );
}
