import { useEffect, useState } from "preact/hooks";
import type { Refusal } from "../api/errors";
import { get } from "../api/request";
import type { DomainAgreement, ExpertAgreement, Interval, Overruled, Overrules, Policy, Settled } from "../api/types";
import { me, sayError, write } from "../state/session";
import { Broad } from "../ui/broad";
import { Empty } from "../ui/panel";
import { say } from "../ui/toast";
import { blindedBy, NotWhileBlinded } from "./blinded";
import { Comparison } from "./comparison";
import { RatersAtWork } from "./raters-at-work";

const POLICIES: readonly Policy[] = ["settled", "unanimous", "consensus", "majority", "crowd", "recorded"];

/** How far the experts agree, who overruled whom, and the rule by which a class is agreed. */
export function Agreement() {
  const [domains, setDomains] = useState<readonly DomainAgreement[] | null>(null);
  const [overrules, setOverrules] = useState<readonly Overruled[]>([]);
  const [blinded, setBlinded] = useState<Refusal | null>(null);
  useEffect(() => {
    const load = async () => {
      try {
        setDomains((await get<ExpertAgreement>("/api/agreement")).domains);
        setOverrules((await get<Overrules>("/api/overrules")).rows);
      } catch (error) {
        const refusal = blindedBy(error);
        if (refusal) setBlinded(refusal);
        else sayError(error);
      }
    };
    void load();
  }, []);
  if (blinded) {
    return <NotWhileBlinded what="These figures tell what others said" refusal={blinded} />;
  }
  if (domains === null) return null;
  return (
    <>
      <Policy />
      <Comparison />
      {domains.every((one) => one.cells === 0) ? (
        <Empty title="No cell has two labels yet." />
      ) : (
        <>
          <h2 class="apart">By tumour type</h2>
          <Broad label="Agreement by tumour type">
            <table>
              <thead>
                <tr>
                  <th scope="col">Tumour type</th>
                  <th scope="col" class="number">
                    Cells
                  </th>
                  <th scope="col" class="number">
                    Disagreement
                  </th>
                  <th scope="col" class="number">
                    Fleiss kappa
                  </th>
                  <th scope="col" class="number">
                    Krippendorff alpha
                  </th>
                </tr>
              </thead>
              <tbody>
                {domains.map((one) => (
                  <tr key={one.domain}>
                    <th scope="row">
                      <bdi>{one.domain.replaceAll("_", " ") || "all"}</bdi>
                    </th>
                    <td class="number">{one.cells.toLocaleString("en")}</td>
                    <td class="number">{percent(one.disagreement)}</td>
                    <td class="number">{figure(one.kappa)}</td>
                    <td class="number">{figure(one.alpha)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Broad>
        </>
      )}
      {overrules.length > 0 && (
        <>
          <h2 class="apart">Who overruled whom</h2>
          <table>
            <tbody>
              {overrules.map((one) => (
                <tr key={`${one.overruled} ${one.by}`}>
                  <th scope="row">
                    <bdi>{one.by}</bdi> overruled <bdi>{one.overruled}</bdi>
                  </th>
                  <td class="number">
                    {one.cells} of {one.decided} cells, {Math.round(one.share * 100)} %
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      <RatersAtWork />
    </>
  );
}

function Policy() {
  const [policy, setPolicy] = useState(me.value?.study.policy ?? "");
  const save = async (chosen: string) => {
    setPolicy(chosen);
    if (await write("PUT", "/api/study", { policy: chosen })) say(`Cells are agreed by the rule “${chosen}”.`);
  };
  const settle = async () => {
    const done = await write<Settled>("POST", "/api/settle", { policy });
    if (done) say(`${done.written + done.unchanged} classes are agreed, ${done.written} of them anew; ${done.disputed} cells are disputed, ${done.open} open.`);
  };
  return (
    <div class="bar">
      <label class="field">
        <span>A class is agreed by</span>
        <select value={policy} onChange={(event) => void save(event.currentTarget.value)}>
          {POLICIES.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <button type="button" disabled={policy === "recorded"} onClick={() => void settle()}>
        Record the agreed classes
      </button>
    </div>
  );
}

function figure({ value, low, high }: Interval): string {
  if (value === null) return "–";
  const range = low === null || high === null ? "" : ` [${low.toFixed(2)}, ${high.toFixed(2)}]`;
  return value.toFixed(2) + range;
}

function percent({ value, low, high }: Interval): string {
  if (value === null) return "–";
  const range = low === null || high === null ? "" : ` [${Math.round(low * 100)}, ${Math.round(high * 100)}]`;
  return `${Math.round(value * 100)} %${range}`;
}
