import { useEffect, useState } from "preact/hooks";
import { get } from "../api/request";
import type { Work } from "../api/types";
import { sayError } from "../state/session";
import { share } from "./crowd-raters";

/** By task and by rater: agreement, seconds and accuracy. */
export function RatersAtWork() {
  const [work, setWork] = useState<Work | null>(null);
  useEffect(() => {
    get<Work>("/api/work").then(setWork, sayError);
  }, []);
  if (work === null || work.raters.length === 0) return null;
  return (
    <div class="tables">
      <h2 class="apart">Tasks and raters</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Task</th>
            <th scope="col" class="number">
              Raters
            </th>
            <th scope="col" class="number">
              Tiles or cells
            </th>
            <th scope="col" class="number">
              Fleiss kappa
            </th>
            <th scope="col" class="number">
              Answers each
            </th>
            <th scope="col" class="number">
              Seconds
            </th>
            <th scope="col" class="number">
              Accuracy
            </th>
          </tr>
        </thead>
        <tbody>
          {work.tasks.map((one) => (
            <tr key={one.task}>
              <th scope="row">
                <bdi>{one.task}</bdi>
              </th>
              <td class="number">{one.raters}</td>
              <td class="number">{one.pieces.toLocaleString("en")}</td>
              <td class="number">{one.kappa.value?.toFixed(2) ?? "–"}</td>
              <td class="number">{one.kappa_raters || "–"}</td>
              <td class="number">{one.seconds_mean?.toFixed(1) ?? "–"}</td>
              <td class="number">{share(one.accuracy)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <h3>By rater</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">Rater</th>
            <th scope="col">Task</th>
            <th scope="col">Test</th>
            <th scope="col" class="number">
              Tiles or cells
            </th>
            <th scope="col" class="number">
              Mean seconds
            </th>
            <th scope="col" class="number">
              Median
            </th>
            <th scope="col" class="number">
              Right on gold
            </th>
            <th scope="col" class="number">
              With the majority
            </th>
          </tr>
        </thead>
        <tbody>
          {work.raters.map((one) => (
            <tr key={`${one.task} ${one.rater}`}>
              <th scope="row">
                <bdi>{one.rater}</bdi>
              </th>
              <td>
                <bdi>{one.task}</bdi>
              </td>
              <td>{one.state || "–"}</td>
              <td class="number">{one.pieces.toLocaleString("en")}</td>
              <td class="number">{one.seconds_mean?.toFixed(1) ?? "–"}</td>
              <td class="number">{one.seconds_median?.toFixed(1) ?? "–"}</td>
              <td class="number">
                {share(one.gold_accuracy)}
                {one.gold > 0 && <small> of {one.gold}</small>}
              </td>
              <td class="number">
                {share(one.accuracy)}
                {one.compared > 0 && <small> of {one.compared}</small>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="soft">
        Seconds are taken from when answers came in; pauses of more than {Math.round(work.break_s / 60)} minutes are breaks. Right is what is known of a gold
        tile, and what the majority said of the others.
      </p>
      <a class="button" href="/api/work/file" download="">
        Raters as CSV
      </a>
    </div>
  );
}
