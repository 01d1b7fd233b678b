import type { PageDeployment, PageFocus } from "@slipway/contracts";
import { count, percentOf, provenText, spoken, toneOf, verdictText } from "./texts.ts";

type Props = { readonly focus: PageFocus | null; readonly recent: readonly PageDeployment[] };

/** The deployment under way, or the latest: where it is, what is exposed, and what the judge says on which evidence. */
export function Focus({ focus, recent }: Props) {
  if (focus === null) {
    return (
      <section aria-labelledby="focus" className="focus">
        <h2 id="focus">No deployment yet</h2>
        <p className="hint">The first one begins with a push, or with a button above.</p>
      </section>
    );
  }
  const { deployment } = focus;
  const outcome = recent.find((own) => own.deployment_id === deployment.deployment_id)?.outcome;
  return (
    <section aria-labelledby="focus" className="focus">
      <h2 id="focus">
        {deployment.deployment_id}{" "}
        <span className="hint">
          {deployment.service} to {deployment.environment}
          {focus.under_way ? "" : ", the last deployment"}
        </span>
        <span className={`pill ${toneOf(deployment.status)}`}>{spoken(deployment.status)}</span>
      </h2>
      <Steps focus={focus} />
      {outcome != null && !focus.under_way && (
        <p className={`outcome ${toneOf(deployment.status)}`} data-outcome={deployment.status}>
          {deployment.git_sha.slice(0, 7)} {outcome}
        </p>
      )}
      <Exposure focus={focus} />
      <Verdict focus={focus} />
    </section>
  );
}

function Steps({ focus: { deployment, under_way } }: { readonly focus: PageFocus }) {
  const passed = (weight: number) =>
    deployment.gates.some((gate) => gate.weight_percent === weight && gate.verdict === "PASS");
  return (
    <ol className="steps" aria-label="Steps of the plan">
      {deployment.plan.map(({ weight_percent }, at) => {
        const done = deployment.status === "SUCCEEDED" || passed(weight_percent);
        const now = under_way && deployment.step === at;
        return (
          <li key={weight_percent} className={done ? "done" : now ? "now" : ""} aria-current={now ? "step" : undefined}>
            {weight_percent}%<span className="visually-hidden">{done ? ", passed" : now ? ", now" : ""}</span>
          </li>
        );
      })}
    </ol>
  );
}

function Exposure({ focus }: { readonly focus: PageFocus }) {
  return (
    <p className="exposure">
      <b>{focus.exposure_percent}%</b> exposure: traffic on a version that is not proven
      {provenText(focus)}
    </p>
  );
}

function Verdict({ focus }: { readonly focus: PageFocus }) {
  const { judgement, deployment, under_way } = focus;
  const gate = deployment.gates.at(-1);
  const said = judgement ?? gate;
  if (said === undefined)
    return under_way ? <p className="hint">No verdict yet: the judge begins with the first requests.</p> : null;
  const { canary_requests, canary_errors, canary_slow, baseline_requests, baseline_errors } = said.counts;
  const needed = under_way && deployment.status !== "ROLLING_BACK" ? judgement?.requests_needed : null;
  const word = verdictText(said.verdict, focus);
  return (
    <div className="verdict">
      <p>
        {word !== undefined && (
          <span className={`pill ${said.verdict === "FAIL" ? "bad" : said.verdict === "PASS" ? "good" : "busy"}`}>
            {word}
          </span>
        )}{" "}
        At {said.weight_percent}%. {said.sentence}
      </p>
      {needed != null && needed > 0 && (
        <p className="needed">
          <b>{count(needed)}</b> requests still needed for a PASS
        </p>
      )}
      {canary_slow !== undefined && (
        <p className="needed">
          <b>{count(canary_slow)}</b> of {count(canary_requests)} requests slower than the limit of what served before
        </p>
      )}
      <table>
        <thead>
          <tr>
            <th scope="col">Evidence</th>
            <th scope="col">requests</th>
            <th scope="col">failed</th>
            <th scope="col">share</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">new version</th>
            <td>{count(canary_requests)}</td>
            <td>{count(canary_errors)}</td>
            <td>{percentOf(canary_errors, canary_requests)}</td>
          </tr>
          {!deployment.initial && (
            <tr>
              <th scope="row">what served before</th>
              <td>{count(baseline_requests)}</td>
              <td>{count(baseline_errors)}</td>
              <td>{percentOf(baseline_errors, baseline_requests)}</td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
