import type { PageView } from "@slipway/contracts";
import { spoken } from "./texts.ts";

/** The latest build: its steps and the last lines of its log. */
export function BuildLog({ build }: { readonly build: PageView["build"] }) {
  if (build === null) return null;
  const { view, log } = build;
  const tone = view.status === "SUCCEEDED" ? "good" : view.status === "FAILED" ? "bad" : "busy";
  return (
    <section aria-labelledby="build" className="build">
      <h2 id="build">
        Build {view.build_id} <span className="hint">{view.git_sha.slice(0, 7)}</span>
        <span className={`pill ${tone}`}>{spoken(view.status)}</span>
      </h2>
      <ul className="build-steps" aria-label="Steps of the build">
        {view.steps.map((step) => (
          <li key={step.name} className={step.state}>
            {step.name} <span className="visually-hidden">{spoken(step.state).toLowerCase()}</span>
          </li>
        ))}
      </ul>
      <pre>
        {log.map((line, at) => (
          // Lines have no name but their place.
          <span key={`${at}:${line}`} title={line}>
            {line}
          </span>
        ))}
      </pre>
    </section>
  );
}
