import type { CrowdRater } from "../api/types";

/** Who answers: the test, the pace by the server's clock, and how often they are right. */
export function CrowdRaters({ raters }: { raters: readonly CrowdRater[] }) {
  return (
    <section>
      <h3>Raters</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">Rater</th>
            <th scope="col">Test</th>
            <th scope="col" class="number">
              Tiles
            </th>
            <th scope="col" class="number">
              Seconds a tile
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
          {raters.map((rater) => (
            <tr key={rater.id}>
              <th scope="row">
                <bdi>{rater.name}</bdi>
              </th>
              <td>{rater.qualification.needed === 0 ? "no test" : rater.qualification.state}</td>
              <td class="number">{rater.answered.toLocaleString("en")}</td>
              <td class="number">{rater.seconds_median?.toFixed(1) ?? "–"}</td>
              <td class="number">{share(rater.gold_accuracy)}</td>
              <td class="number">{share(rater.accuracy)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** A share in per cent; a dash where nothing is known. */
export function share(value: number | null): string {
  return value === null ? "–" : `${Math.round(value * 100)} %`;
}
