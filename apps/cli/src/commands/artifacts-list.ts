import { type ArtifactView, listArtifacts, ServiceNameSchema } from "@slipway/contracts";
import type { Command } from "commander";
import { serviceHere } from "../here.ts";
import { print, table, withClient } from "../output.ts";
import { count, typed } from "../typed.ts";

/** `slipway artifacts list [SERVICE]`. */
export function artifactsListCommand(root: Command, artifacts: Command): void {
  artifacts
    .command("list")
    .description("artifacts, newest first, with where they may run")
    .argument("[service]", "default: that of slipway.yaml here, else all")
    .option("--limit <count>", "at most so many", "20")
    .action(async (named: string | undefined, own: { readonly limit: string }) => {
      const service = named === undefined ? serviceHere() : typed(ServiceNameSchema, named);
      const page_size = count("--limit", own.limit, [1, 500]);
      await withClient(root, async (client) => {
        const answer = await client.call(listArtifacts, { query: { service, page_size } });
        const none = service === undefined ? "There are no artifacts yet." : `There are no artifacts of ${service}.`;
        print(root, answer, answer.artifacts.length === 0 ? none : table([head, ...answer.artifacts.map(row)]));
      });
    });
}

const head = ["SERVICE", "COMMIT", "DIGEST", "BUILT", "MAY RUN IN", "SINCE"];

function row(artifact: ArtifactView): string[] {
  const places = artifact.environments.map(({ environment }) =>
    artifact.bad_in.includes(environment) ? `${environment} (bad)` : environment,
  );
  const { provenance } = artifact;
  return [
    artifact.service,
    artifact.git_sha.slice(0, 7),
    artifact.digest.slice(0, 19),
    provenance.builder === "external" ? "elsewhere" : `here, ${provenance.isolation}`,
    places.join(", "),
    artifact.created_at.slice(0, 16).replace("T", " "),
  ];
}
