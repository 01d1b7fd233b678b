import type { PageFocus, PageRegion } from "@slipway/contracts";
import { clockTime } from "./texts.ts";

type Props = { readonly regions: readonly PageRegion[]; readonly focus: PageFocus | null };

/** One bar per region: what its proxy serves now. */
export function Regions({ regions, focus }: Props) {
  const version = focus?.deployment.version;
  return (
    <section aria-labelledby="regions" className="at-regions">
      <h2 id="regions">Regions</h2>
      <ul className="regions">
        {regions.map((region) => (
          <li key={region.name}>
            <Bar region={region} version={version} progress={focus?.deployment.regions[region.name]} />
          </li>
        ))}
      </ul>
      <p className="legend">
        <span className="swatch new" /> the version of this deployment
        <span className="swatch old" /> what served before
      </p>
      <details>
        <summary>Look for yourself</summary>
        {regions.map(({ name, mesh_url, kubectl }) => (
          <p key={name}>
            <b>{name}</b> answers at <code>{mesh_url}</code>
            <br />
            <code>{kubectl}</code>
          </p>
        ))}
      </details>
    </section>
  );
}

type BarProps = {
  readonly region: PageRegion;
  readonly version: string | undefined;
  readonly progress: PageFocus["deployment"]["regions"][string] | undefined;
};

function Bar({ region: { name, served }, version, progress }: BarProps) {
  const share = served?.find((own) => own.version === version)?.percent ?? 0;
  const other = served?.find((own) => own.version !== version);
  return (
    <>
      <div className="bar-head">
        <span className="region-name">{name}</span>
        <span className="hint">{progress?.state}</span>
        <b data-region={name} data-percent={share}>
          {served === null ? "no answer" : `${share}%`}
        </b>
      </div>
      {progress?.unproven !== undefined && share > 0 && (
        <p className="hint">
          {progress.weight_percent}% is written since {clockTime(progress.unproven.since)}, not yet proven in its mesh
        </p>
      )}
      <div className={served === null ? "bar unknown" : "bar"} aria-hidden="true">
        <div className="new" style={{ width: `${share}%` }} />
      </div>
      <p className="versions">
        <span>{share > 0 ? <code>{version}</code> : null}</span>
        <span>{other === undefined ? nobodyElse(served, share) : <code>{other.version}</code>}</span>
      </p>
    </>
  );
}

/** What stands where a version before this one would: nothing beside one that serves all, or where nothing is known. */
function nobodyElse(served: PageRegion["served"], share: number): string {
  return served === null || share > 0 ? "" : "no version serves yet";
}
