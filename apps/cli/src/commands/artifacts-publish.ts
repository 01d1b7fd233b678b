import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "@slipway/client";
import { getArtifact, type PublicationView, publishArtifact } from "@slipway/contracts";
import type { Command } from "commander";
import { exitCodes } from "../exit-codes.ts";
import { findArtifact } from "../find-artifact.ts";
import { note } from "../note.ts";
import { print, wantsJson, withClient } from "../output.ts";

const lookMs = 500;

/** `slipway artifacts publish ARTIFACT`. */
export function artifactsPublishCommand(root: Command, artifacts: Command): void {
  artifacts
    .command("publish")
    .description(
      "have an artifact's image looked for in the registry that regions pull from, and copied where it is not there",
    )
    .argument("<artifact>", "a digest, or a commit of 7 to 40 digits")
    .option("--no-wait", "do not wait for the copy")
    .action(async (named: string, own: { readonly wait: boolean }) => {
      await withClient(root, async (client) => {
        const digest = await findArtifact(client, named);
        const begun = await client.call(publishArtifact, {
          ...{ params: { digest }, body: {} },
          idempotencyKey: crypto.randomUUID(),
        });
        const view = own.wait ? await untilEnded(root, client, digest, begun) : begun;
        print(root, view, said(view));
        if (view.status === "FAILED") process.exitCode = exitCodes.refused;
      });
    });
}

async function untilEnded(
  root: Command,
  client: Client,
  digest: Awaited<ReturnType<typeof findArtifact>>,
  begun: PublicationView,
): Promise<PublicationView> {
  let last = "";
  for (let view = begun; ; ) {
    if (view.status !== "COPYING") return view;
    const text = said(view);
    if (text !== last && !wantsJson(root)) note(text);
    last = text;
    await pause(lookMs);
    view = (await client.call(getArtifact, { params: { digest } })).publication ?? begun;
  }
}

function said({ status, image, host, waiting, reason }: PublicationView): string {
  if (status === "FAILED") return `It was not copied to ${host}: ${reason}`;
  return status === "PUBLISHED" ? `${image} is there.` : `COPYING to ${host}, waiting for ${waiting?.for ?? "its end"}`;
}
